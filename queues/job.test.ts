import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Queue } from 'bullmq'
import { Elysia } from 'elysia'
import { v7 as uuidv7 } from 'uuid'
import { type TestDatabase, testDatabase, testKernel, testLog, testRedis } from '../test/harness.ts'
import { idlePayments } from '../test/idle-payments.ts'
import { defineService } from '../workers/runtime/service.ts'
import { createEnqueuer, type Enqueuer, type JobData } from './enqueue.ts'
import { convert } from './media.ts'
import { done, type Handlers } from './outcome.ts'
import { charge, payments } from './payments.ts'
import { patientRedis, type RedisSettings } from './redis.ts'
import { readCommand } from './story.ts'
import { startSweeper } from './sweep.ts'
import { startTrace } from './trace.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.drop())

const ask = () => ({
  orderId: uuidv7(),
  customerId: uuidv7(),
  attempt: 1,
  amountMinor: 100,
  currency: 'EUR',
  paymentMethod: 'pm_card_ok',
})

/** Workers of payments on the shared database, with a queue of their own. Charges stand still until `open`. */
async function gated() {
  const gate = Promise.withResolvers<void>()
  let running = 0
  const seen = { mostAtOnce: 0, runs: 0 }
  const handlers: Handlers<typeof payments> = {
    ...idlePayments,
    'payments.charge': async job => {
      seen.runs++
      seen.mostAtOnce = Math.max(seen.mostAtOnce, ++running)
      await gate.promise
      running--
      return done({ paymentId: job.id, status: 'captured' })
    },
  }
  const service = defineService(payments, () => ({ routes: new Elysia(), handlers }))
  const kernel = await testKernel({ services: [service], database: { ...database, drop: async () => {} } })
  return { kernel, seen, open: gate.resolve }
}

test('commands of one type that come together share a job; one that waits or takes long has its own', async () => {
  const redis = testRedis()
  const enqueuer = await connected(redis)
  const several = (type: string, count: number, delayMs = 0) =>
    Array.from({ length: count }, () => ({ id: uuidv7(), type, delayMs }))
  const charges = several(charge.name, 43)
  await enqueuer.addNow([...charges, ...several(convert.name, 3), ...several(charge.name, 2, 5_000)])
  const connection = patientRedis(redis.url, testLog)
  const open = (name: string) => new Queue<JobData>(name, { connection, prefix: redis.prefix })
  const [paying, converting] = [open('payments'), open('media')]
  const waiting = await paying.getWaiting()
  expect(waiting.map(job => job.data.ids?.length)).toEqual([20, 20, 3])
  expect(waiting.flatMap(job => job.data.ids)).toEqual(charges.map(({ id }) => id))
  expect(await paying.getDelayedCount()).toBe(2)
  expect((await converting.getWaiting()).map(job => job.data)).toEqual([{}, {}, {}])
  await Promise.all([paying.close(), converting.close(), enqueuer.close()])
  connection.disconnect()
})

test('no more commands are worked at once than the service allows, whatever their jobs carry', async () => {
  const { kernel, seen, open } = await gated()
  await Promise.all(Array.from({ length: 80 }, () => kernel.send(charge, ask())))
  await until(() => seen.runs === payments.concurrency)
  await Bun.sleep(100)
  open()
  await kernel.idle()
  expect(seen).toEqual({ mostAtOnce: payments.concurrency, runs: 80 })
  await kernel.stop()
})

test('a drain gives back what has not begun, with no attempt used', async () => {
  const { kernel, seen, open } = await gated()
  const ids = await Promise.all(Array.from({ length: 80 }, () => kernel.send(charge, ask())))
  await until(() => seen.runs === payments.concurrency)
  const stopped = kernel.services.stop(5_000)
  await Bun.sleep(100)
  open()
  await stopped
  const rows = await database.sql()<{ state: string; fence: number; n: number }[]>`
    select state, fence, count(*) as n from journal.commands where id = any(${ids}::uuid[]) group by 1, 2 order by 1`
  expect([...rows]).toEqual([
    { state: 'accepted', fence: 0, n: 80 - payments.concurrency },
    { state: 'succeeded', fence: 1, n: payments.concurrency },
  ])
  const next = await gated()
  next.open()
  await until(async () => (await readCommand(kernel.sql, ids.at(-1) ?? ''))?.state === 'succeeded')
  await Promise.all([kernel.stop(), next.kernel.stop()])
})

test('a second job for a command that is in work elsewhere takes nothing over', async () => {
  const [one, other] = await Promise.all([gated(), gated()])
  const id = await one.kernel.send(charge, ask())
  await until(() => one.seen.runs === 1)
  const enqueuer = await connected(other.kernel.redis)
  await enqueuer.addNow([
    { id, type: charge.name, delayMs: 0 },
    { id: uuidv7(), type: charge.name, delayMs: 0 },
  ])
  await Bun.sleep(2_500) // it is looked at, again and again
  expect(other.seen.runs).toBe(0)
  one.open()
  await one.kernel.idle()
  expect(await readCommand(one.kernel.sql, id)).toMatchObject({
    state: 'succeeded',
    attempts: [{ run: 1, outcome: 'succeeded' }],
  })
  await Promise.all([one.kernel.stop(), other.kernel.stop(), enqueuer.close()])
})

test('the sweeper adds what the queue has passed by, and not what still waits in it', async () => {
  const overdue = (seconds: number) => ({
    id: uuidv7(),
    type: charge.name,
    input: ask(),
    traceparent: startTrace(),
    delay_ms: -seconds * 1_000,
  })
  const waits = [overdue(4), overdue(10)]
  const lost = [overdue(14), overdue(60)]
  const sql = database.sql()
  await sql`select journal.write_commands(${sql.json([...waits, ...lost].map(each => ({ ...each, correlation_id: each.id })))})`
  const enqueuer = await connected(testRedis())
  await enqueuer.missed() // the first look at an empty Redis takes up everything
  const added = new Set<string>()
  const sweeper = startSweeper({
    sql: database.sql('payments'),
    enqueuer: {
      ...enqueuer,
      waitingMs: async () => 10_000,
      addEach: async some => {
        for (const { id } of some) added.add(id)
      },
    },
    log: testLog,
    newId: uuidv7,
    now: () => new Date(),
  })
  await until(() => added.size > 0)
  await sweeper.stop()
  const known = new Set([...waits, ...lost].map(({ id }) => id))
  expect([...added].filter(id => known.has(id)).sort()).toEqual(lost.map(({ id }) => id).sort())
  await enqueuer.close()
})

test('how long the next job has waited is what the queue says', async () => {
  const enqueuer = await connected(testRedis())
  expect(await enqueuer.waitingMs('payments')).toBe(0)
  await enqueuer.addNow([{ id: uuidv7(), type: charge.name, delayMs: 0 }])
  await Bun.sleep(200)
  await enqueuer.addNow([{ id: uuidv7(), type: charge.name, delayMs: 0 }])
  const waitingMs = await enqueuer.waitingMs('payments')
  expect(waitingMs).toBeGreaterThanOrEqual(195)
  expect(waitingMs).toBeLessThan(10_000)
  await enqueuer.close()
})

async function connected(redis: RedisSettings): Promise<Enqueuer> {
  const enqueuer = createEnqueuer(redis, testLog)
  await until(enqueuer.ping)
  return enqueuer
}

async function until(met: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await Bun.sleep(20))
    if (await met()) return
  throw new Error('it did not come about within 20 s')
}
