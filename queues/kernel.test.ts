import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Queue } from 'bullmq'
import { Elysia } from 'elysia'
import { Redis } from 'ioredis'
import { v7 as uuidv7 } from 'uuid'
import { type TestKernel, testKernel, testLog } from '../test/harness.ts'
import { idlePayments } from '../test/idle-payments.ts'
import { defineService } from '../workers/runtime/service.ts'
import { discard, groupDeadLetters, listDeadLetters, redrive } from './dead-letter.ts'
import { done, emit, follow, type Handler, type Handlers, later, rejected } from './outcome.ts'
import { captured, declined } from './payment-events.ts'
import { charge, payments, refund } from './payments.ts'
import { patientRedis } from './redis.ts'
import { readCommand } from './story.ts'
import { startTrace } from './trace.ts'

/** The kernel with handlers that a test chooses: `paymentMethod` names the behaviour of a charge. */
const behaviours = new Map<string, Handler<typeof charge>>()
const handlers: Handlers<typeof payments> = {
  ...idlePayments,
  'payments.charge': job => {
    const behave = behaviours.get(job.input.paymentMethod)
    if (!behave) throw new Error('no such behaviour')
    return behave(job)
  },
}
const testPayments = defineService(payments, () => ({ routes: new Elysia(), handlers }))

const ask = (paymentMethod: string) => ({
  orderId: uuidv7(),
  customerId: uuidv7(),
  attempt: 1,
  amountMinor: 100,
  currency: 'EUR',
  paymentMethod: `pm_${paymentMethod}`,
})
const behave = (name: string, handler: Handler<typeof charge>) => behaviours.set(`pm_${name}`, handler)

let kernel: TestKernel
const effects = async (command: string): Promise<number> =>
  (await kernel.sql`select from payments.effects where command = ${command}`).count

beforeAll(async () => {
  kernel = await testKernel({ services: [testPayments] })
  await kernel.sql`create table payments.effects (command uuid not null, run integer not null)`
  await kernel.sql`grant all on payments.effects to waybill_payments`
})
afterAll(() => kernel.stop())

describe('a command is settled once, with its effects', () => {
  test('done: effects, output, attempt, events and follow-ups are there together', async () => {
    behave('done', async job => async tx => {
      await tx`insert into payments.effects values (${job.id}, ${job.run})`
      const { customerId: _, paymentMethod: __, ...rest } = job.input
      return done(
        { paymentId: job.id, status: 'captured' },
        {
          follow: [
            follow(refund, { requestId: job.id, paymentId: job.id, amountMinor: 1, reason: 'because' }),
          ],
          emit: [emit(captured, { ...rest, paymentId: job.id })],
        },
      )
    })
    const command = await kernel.run(charge, ask('done'))
    expect(command.state).toBe('succeeded')
    expect(command.result).toEqual({ paymentId: command.id, status: 'captured' })
    expect(command.attempts).toMatchObject([{ run: 1, outcome: 'succeeded', error: null }])
    expect(await effects(command.id)).toBe(1)

    const story = await kernel.story(command.id)
    expect(story.events.map(event => event.type)).toEqual(['payment.captured'])
    expect(story.commands.map(each => each.type).sort()).toEqual([
      'orders.confirm-payment',
      'payments.charge',
      'payments.refund',
    ])
    const confirm = story.commands.find(each => each.type === 'orders.confirm-payment')
    expect(confirm).toMatchObject({
      parentId: command.id,
      eventId: story.events[0]?.id,
      actorId: command.actorId,
    })
    expect(confirm?.traceparent.slice(0, 36)).toBe(command.traceparent.slice(0, 36))
  })

  test('rejected: its effects are rolled back and it is not retried', async () => {
    behave('rejected', async job => async tx => {
      await tx`insert into payments.effects values (${job.id}, ${job.run})`
      return rejected('never' as never)
    })
    const command = await kernel.run(charge, ask('rejected'))
    expect(command).toMatchObject({ state: 'rejected', result: { code: 'never', detail: null } })
    expect(await effects(command.id)).toBe(0)
  })

  test('later: its effects are kept, and no attempt is used', async () => {
    behave('later', async job => async tx => {
      await tx`insert into payments.effects values (${job.id}, ${job.run})`
      return job.run < 4 ? later(10, 'not yet') : done({ paymentId: job.id, status: 'captured' as const })
    })
    const command = await kernel.run(charge, ask('later'))
    expect(command.attempts.map(each => each.outcome)).toEqual(['waiting', 'waiting', 'waiting', 'succeeded'])
    expect(await effects(command.id)).toBe(4)
    const [row] = await kernel.sql`select failures from journal.commands where id = ${command.id}`
    expect(row?.failures).toBe(0)
  })

  test('throws: effects of the failed attempts are rolled back', async () => {
    behave('flaky', async job => async tx => {
      await tx`insert into payments.effects values (${job.id}, ${job.run})`
      if (job.run < 2) throw new Error('a broken dependency')
      return done({ paymentId: job.id, status: 'captured' })
    })
    const command = await kernel.run(charge, ask('flaky'))
    expect(command.attempts.map(each => each.outcome)).toEqual(['retrying', 'succeeded'])
    expect(command.attempts[0]?.error).toMatchObject({ name: 'Error', message: 'a broken dependency' })
    expect(await effects(command.id)).toBe(1)
  })

  test('a late write under an old fence changes nothing', async () => {
    const release = Promise.withResolvers<void>()
    const runs: number[] = []
    behave('zombie', async job => {
      runs.push(job.run)
      if (job.run === 1) await release.promise
      return async tx => {
        await tx`insert into payments.effects values (${job.id}, ${job.run})`
        return done({ paymentId: job.id, status: 'captured' })
      }
    })
    const id = await kernel.send(charge, ask('zombie'))
    await until(() => runs.length === 1)
    // What a stalled job does: the queue gives it to another worker while the first still runs.
    const [again] = await kernel.sql`select * from journal.claim(${[id]}::uuid[], 'another worker')`
    expect(again?.fence).toBe(2)
    release.resolve()
    await Bun.sleep(100)
    expect(await effects(id)).toBe(0)
    const [row] = await kernel.sql`select state, worker, crashes from journal.commands where id = ${id}`
    expect(row).toEqual({ state: 'running', worker: 'another worker', crashes: 1 })
    await kernel.sql`delete from journal.commands where id = ${id}`
  })
})

describe('what cannot succeed becomes a dead letter', () => {
  test('input that its own schema refuses dies at the first attempt, without calling the handler', async () => {
    const id = uuidv7()
    await kernel.sql`select journal.write_commands(${kernel.sql.json([
      { id, type: 'payments.charge', input: { orderId: 7 }, correlation_id: id, traceparent: '' },
    ])})`
    await until(
      async () => (await kernel.sql`select from journal.dead_letters where command_id = ${id}`).count === 1,
    )
    const letters = await listDeadLetters(kernel.sql, { limit: 10 })
    expect(letters.find(each => each.commandId === id)?.error.name).toBe('InvalidInput')
    expect(await discard(kernel.sql, id)).toBe(true)
    expect(await discard(kernel.sql, id)).toBe(false)
  })

  test('failures of one cause are one group; redriving makes one linked command, once', async () => {
    behave('bug', async () => {
      throw new TypeError(`cannot read ${Math.random()}`)
    })
    const ids = await Promise.all([1, 2, 3].map(() => kernel.send(charge, ask('bug'))))
    // Spend the attempts: the last one is at hand, however long the policy would wait.
    await kernel.sql`update journal.commands set failures = ${charge.retry.attemptsMax - 1} where id = any(${ids}::uuid[])`
    await kernel.sql`update journal.commands set due_at = now() where id = any(${ids}::uuid[])`
    await until(
      async () =>
        (await kernel.sql`select from journal.dead_letters where command_id = any(${ids}::uuid[])`).count ===
        3,
    )

    const groups = await groupDeadLetters(kernel.sql)
    expect(groups).toMatchObject([{ type: 'payments.charge', count: 3, error: { name: 'TypeError' } }])

    behave('bug', async job => done({ paymentId: job.id, status: 'captured' }))
    const [first] = ids as [string]
    const both = await Promise.all([redrive(kernel.sql, first, uuidv7), redrive(kernel.sql, first, uuidv7)])
    const made = both.filter(each => each !== null)
    expect(made).toHaveLength(1)
    await until(async () => {
      const [row] = await kernel.sql`select state from journal.commands where redrive_of = ${first}`
      return row?.state === 'succeeded'
    })
  })
})

test('events tell every subscriber and nobody else', async () => {
  behave('declined', async job => {
    const { customerId: _, paymentMethod: __, ...rest } = job.input
    return done(
      { paymentId: job.id, status: 'declined' },
      { emit: [emit(declined, { ...rest, paymentId: job.id, declineCode: 'no_money' })] },
    )
  })
  const command = await kernel.run(charge, ask('declined'))
  const story = await kernel.story(command.id)
  expect(story.commands.map(each => each.type)).toEqual(['payments.charge', 'orders.fail-payment'])
})

test('what Redis forgets is worked all the same, once', async () => {
  behave('counted', async job => async tx => {
    await tx`insert into payments.effects values (${job.id}, ${job.run})`
    return done({ paymentId: job.id, status: 'captured' })
  })
  const redis = new Redis(kernel.redis.url)
  const forget = () =>
    redis.eval(
      "for _, key in ipairs(redis.call('keys', ARGV[1])) do redis.call('del', key) end",
      0,
      `${kernel.redis.prefix}:*`,
    )
  const ids: string[] = []
  for (let round = 0; round < 5; round++) {
    ids.push(...(await Promise.all(Array.from({ length: 40 }, () => kernel.send(charge, ask('counted'))))))
    await forget()
  }
  await until(async () => {
    const open =
      await kernel.sql`select from journal.commands where id = any(${ids}::uuid[]) and settled_at is null`
    return open.count === 0
  })
  const rows = await kernel.sql`select command, count(*) as n from payments.effects
    where command = any(${ids}::uuid[]) group by command`
  expect(rows.length).toBe(ids.length)
  expect(rows.every(row => row.n === 1)).toBe(true)
  redis.disconnect()
})

test.each([
  'none of its lists',
  'that of the failed', // as after Postgres came back from a backup that does not know that it died
])('a job that the queue holds in %s is given again', async list => {
  behave('stray', async job => done({ paymentId: job.id, status: 'captured' }))
  const redis = new Redis(kernel.redis.url)
  const [id, input] = [uuidv7(), ask('stray')]
  await redis.hset(`${kernel.redis.prefix}:payments:${id}`, { name: 'payments.charge', data: '{}' })
  if (list === 'that of the failed')
    await redis.zadd(`${kernel.redis.prefix}:payments:failed`, Date.now(), id)
  await kernel.sql`select journal.write_commands(${kernel.sql.json([
    { id, type: 'payments.charge', input, correlation_id: id, traceparent: startTrace(), delay_ms: -21_000 },
  ])})`
  await until(async () => (await readCommand(kernel.sql, id))?.state === 'succeeded')
  redis.disconnect()
})

test('a job that is no command of the journal leaves the queue', async () => {
  const redis = patientRedis(kernel.redis.url, testLog)
  const queue = new Queue('payments', { connection: redis, prefix: kernel.redis.prefix })
  const unknown = await queue.add('payments.charge', {}, { jobId: uuidv7() })
  const foreign = await queue.add('payments.charge', {}, { jobId: 'no-command-id' })
  await until(async () => (await unknown.getState()) === 'completed')
  await until(async () => (await foreign.getState()) === 'failed')
  await queue.close()
  redis.disconnect()
})

async function until(met: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await Bun.sleep(20))
    if (await met()) return
  throw new Error('it did not come about within 20 s')
}
