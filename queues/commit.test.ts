import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Elysia } from 'elysia'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../db/client.ts'
import { type TestKernel, testKernel } from '../test/harness.ts'
import { idlePayments } from '../test/idle-payments.ts'
import { defineService } from '../workers/runtime/service.ts'
import { createCommit } from './commit.ts'
import { type Claim, createAcceptor, createJournal } from './journal.ts'
import { done, type Handlers, type Job, later, rejected, type Tx } from './outcome.ts'
import { charge, payments } from './payments.ts'
import { startTrace } from './trace.ts'

// Commands that share a transaction: `paymentMethod` says how a charge ends.

/** Holds effects back, so that those of many commands come to be ready while one transaction is under way. */
let gate = Promise.resolve()

const write = (tx: Tx, { id, run }: Job) =>
  tx`insert into payments.effects values (${id}, ${run}, pg_current_xact_id()::text)`

const endings: Record<
  string,
  (job: Job<typeof charge>) => ReturnType<Handlers<typeof payments>['payments.charge']>
> = {
  pm_done: async job => async tx => {
    await write(tx, job)
    return done({ paymentId: job.id, status: 'captured' })
  },
  pm_rejected: async job => async tx => {
    await write(tx, job)
    return rejected('never' as never)
  },
  pm_later: async job => async tx => {
    await write(tx, job)
    return job.run === 1 ? later(1, 'not yet') : done({ paymentId: job.id, status: 'captured' as const })
  },
  pm_throws: async job => async tx => {
    await write(tx, job)
    if (job.run === 1) throw new Error('broken')
    return done({ paymentId: job.id, status: 'captured' })
  },
  pm_fails: async job => async tx => {
    await write(tx, job)
    if (job.run === 1) await write(tx, job) // a duplicate key: Postgres aborts what follows
    return done({ paymentId: job.id, status: 'captured' })
  },
  pm_unwritable: async job => async tx => {
    await write(tx, job)
    return done({ paymentId: job.run === 1 ? (1n as unknown as string) : job.id, status: 'captured' })
  },
  pm_superseded: async job => async tx => {
    await write(tx, job)
    if (job.run === 1) await kernel.sql`select * from journal.claim(${[job.id]}::uuid[], 'another worker')`
    return done({ paymentId: job.id, status: 'captured' })
  },
}
const handlers: Handlers<typeof payments> = {
  ...idlePayments,
  'payments.charge': async job => {
    await gate
    const ending = endings[job.input.paymentMethod]
    if (!ending) throw new Error('no such ending')
    return ending(job)
  },
}

let kernel: TestKernel
beforeAll(async () => {
  kernel = await testKernel({
    services: [defineService(payments, () => ({ routes: new Elysia(), handlers }))],
  })
  await kernel.sql`create table payments.effects (command uuid, run integer, transaction text not null, primary key (command, run))`
  await kernel.sql`grant all on payments.effects to waybill_payments`
})
afterAll(() => kernel.stop())

test('the test is about a command that shares', () => {
  expect(charge.sharesTransaction).toBe(true)
})

test('many commands share few transactions', async () => {
  const ids = await sendTogether(Array(40).fill('pm_done'))
  const rows = await effectsOf(ids)
  expect(rows).toHaveLength(40)
  expect(new Set(rows.map(row => row.transaction)).size).toBeLessThan(20)
})

test('each has its own ending, and takes back what is its own', async () => {
  const methods = Array.from({ length: 8 }, () => [
    'pm_done',
    'pm_rejected',
    'pm_later',
    'pm_throws',
    'pm_fails',
    'pm_unwritable',
  ]).flat()
  const ids = await sendTogether(methods)
  const runs = Map.groupBy(await effectsOf(ids), row => row.command)
  const found = ids.map((id, at) => [methods[at], (runs.get(id) ?? []).map(row => row.run)])
  const expected = {
    pm_done: [1],
    pm_rejected: [],
    pm_later: [1, 2],
    pm_throws: [2],
    pm_fails: [2],
    pm_unwritable: [2],
  }
  expect(found).toEqual(methods.map(method => [method, expected[method as keyof typeof expected]]))

  const states = await kernel.sql<{ id: string; state: string; failures: number }[]>`
    select id, state, failures from journal.commands where id = any(${ids}::uuid[])`
  for (const { id, state, failures } of states) {
    const method = methods[ids.indexOf(id)]
    expect(state).toBe(method === 'pm_rejected' ? 'rejected' : 'succeeded')
    expect(failures).toBe(['pm_throws', 'pm_fails', 'pm_unwritable'].includes(method ?? '') ? 1 : 0)
  }
})

test('one whose fence does not hold changes nothing, and the others are not held up', async () => {
  const methods = [...Array(10).fill('pm_done'), 'pm_superseded', ...Array(10).fill('pm_done')]
  const ids = await send(methods)
  const lost = ids[10] as string
  await until(async () => (await effectsOf(ids)).length === 20)
  expect((await effectsOf([lost])).length).toBe(0)
  const [row] = await kernel.sql`select state, worker from journal.commands where id = ${lost}`
  expect(row).toEqual({ state: 'running', worker: 'another worker' })
  await kernel.sql`delete from journal.commands where id = ${lost}`
})

test('where a transaction could not begin, nothing is written', async () => {
  const sql = kernel.database.sql('payments')
  const { journal, claims } = await claimed(sql, 1)
  const [claim] = claims as [Claim]
  const commit = createCommit({ sql: failing(sql, /^begin/), journal, newId: uuidv7 })
  const effecting = commit({
    claim,
    command: charge,
    signal: new AbortController().signal,
    effects: async tx => {
      await write(tx, { ...claim, run: claim.fence } as unknown as Job)
      return rejected('never' as never)
    },
  })
  await expect(effecting).rejects.toThrow('division by zero')
  expect(await effectsOf([claim.id])).toHaveLength(0)
})

/** Commands that are held by a worker of this test; the queue is not told, so nobody else claims them. */
async function claimed(sql: Sql, count: number) {
  const journal = createJournal(sql, 'a worker')
  const accept = createAcceptor(kernel.sql)
  const actor = { id: uuidv7(), scopes: [] }
  const claims = await Promise.all(
    Array.from({ length: count }, async () => {
      const id = uuidv7()
      const input = ask('pm_done')
      await accept({ id, command: charge, input, actor, idempotency: null, traceparent: startTrace() })
      const answer = await journal.claim(id, false)
      if (answer.kind !== 'claimed') throw new Error(`${id} is ${answer.kind}`)
      return answer.claim
    }),
  )
  return { journal, claims }
}

/** The same connections, on which the first statement of this kind fails. */
function failing(sql: Sql, kind: RegExp): Sql {
  let seen = 0
  const reserve = async () => {
    const connection = await sql.reserve()
    const { unsafe } = connection
    connection.unsafe = ((text: string) =>
      unsafe(kind.test(text) && ++seen === 1 ? 'select 1 / 0' : text)) as typeof unsafe
    return connection
  }
  return new Proxy(sql, {
    get: (target, name) => (name === 'reserve' ? reserve : Reflect.get(target, name)),
  })
}

async function send(methods: readonly string[]): Promise<string[]> {
  const ready = Promise.withResolvers<void>()
  gate = ready.promise
  const ids = await Promise.all(methods.map(paymentMethod => kernel.send(charge, ask(paymentMethod))))
  await until(async () => {
    const [row] = await kernel.sql`select count(*) as n from journal.commands
      where id = any(${ids}::uuid[]) and state = 'running'`
    return row?.n === methods.length
  })
  ready.resolve()
  return ids
}

async function sendTogether(methods: readonly string[]): Promise<string[]> {
  const ids = await send(methods)
  await until(async () => {
    // A retry is at hand, however long the policy would wait.
    await kernel.sql`update journal.commands set due_at = now() where id = any(${ids}::uuid[]) and state = 'retrying'`
    const open =
      await kernel.sql`select from journal.commands where id = any(${ids}::uuid[]) and settled_at is null`
    return open.count === 0
  })
  return ids
}

const effectsOf = (ids: readonly string[]) =>
  kernel.sql<{ command: string; run: number; transaction: string }[]>`
    select command, run, transaction from payments.effects where command = any(${ids as string[]}::uuid[]) order by command, run`

const ask = (paymentMethod: string) => ({
  orderId: uuidv7(),
  customerId: uuidv7(),
  attempt: 1,
  amountMinor: 100,
  currency: 'EUR',
  paymentMethod,
})

async function until(met: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await Bun.sleep(20))
    if (await met()) return
  throw new Error('it did not come about within 20 s')
}
