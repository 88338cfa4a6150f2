import { afterAll, beforeAll, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { type TestDatabase, testDatabase, testLog, testRedis } from '../test/harness.ts'
import { createEnqueuer } from './enqueue.ts'
import { createAcceptor, type NewCommand } from './journal.ts'
import { pay } from './orders.ts'
import { commands } from './registry.ts'
import { startSweeper } from './sweep.ts'
import { startTrace } from './trace.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.drop())

const newCommand = (key: string, fingerprint: string, actorId: string): NewCommand => ({
  id: uuidv7(),
  command: pay,
  input: { orderId: uuidv7(), paymentMethod: 'pm_card_ok' },
  actor: { id: actorId, scopes: ['orders:write'] },
  idempotency: { key, fingerprint },
  traceparent: startTrace(),
})

test('a tick of the clock is one command, however many processes hear it', async () => {
  const enqueuer = createEnqueuer(testRedis(), testLog)
  const now = new Date()
  const sql = database.sql('orders')
  const sweepers = Array.from({ length: 4 }, () =>
    startSweeper({ sql, enqueuer, log: testLog, newId: uuidv7, now: () => now }),
  )
  const clocked = commands.filter(command => command.everyMs !== undefined)
  expect(clocked.length).toBeGreaterThan(0)
  await Bun.sleep(500)
  await Promise.all(sweepers.map(sweeper => sweeper.stop()))
  await enqueuer.close()
  const rows =
    await database.sql()`select type, count(*) as n from journal.commands group by type order by type`
  expect(rows.map(row => [row.type, row.n])).toEqual(clocked.map(command => [command.name, 1]).sort())
})

test('a look that never ends is given up for the next one', async () => {
  const enqueuer = createEnqueuer(testRedis(), testLog)
  let looks = 0
  const ping = () => {
    looks++
    return new Promise<never>(() => {})
  }
  const sweeper = startSweeper({
    sql: database.sql('orders'),
    enqueuer: { ...enqueuer, ping },
    log: testLog,
    newId: uuidv7,
    now: () => new Date(),
    lookMaxMs: 50,
  })
  while (looks < 2) await Bun.sleep(20)
  await sweeper.stop()
  await enqueuer.close()
})

test('a stop does not wait for a look that stands still', async () => {
  const enqueuer = createEnqueuer(testRedis(), testLog)
  const ping = () => new Promise<never>(() => {})
  const sweeper = startSweeper({
    sql: database.sql('orders'),
    enqueuer: { ...enqueuer, ping },
    log: testLog,
    newId: uuidv7,
    now: () => new Date(),
  })
  await sweeper.stop()
  await enqueuer.close()
})

test('a key stands for one command, from however many acceptors at once', async () => {
  const acceptors = Array.from({ length: 4 }, () => createAcceptor(database.sql('edge')))
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) => acceptors[at % 4]?.(newCommand('the key', 'same', 'ann'))),
  )
  expect(new Set(answers.map(answer => answer && 'id' in answer && answer.id)).size).toBe(1)
  expect(answers.filter(answer => answer?.kind === 'accepted')).toHaveLength(1)
  expect(answers.filter(answer => answer?.kind === 'replayed')).toHaveLength(99)
})

test('a key is of one actor; another fingerprint under it is refused', async () => {
  const accept = createAcceptor(database.sql('edge'))
  expect((await accept(newCommand('k', 'one', 'bob'))).kind).toBe('accepted')
  expect((await accept(newCommand('k', 'two', 'bob'))).kind).toBe('key_reused')
  expect((await accept(newCommand('k', 'two', 'eve'))).kind).toBe('accepted')
})

test('a request that Postgres refuses fails alone: those that shared its batch are accepted', async () => {
  const accept = createAcceptor(database.sql('edge'))
  const bad = { ...newCommand('bad', '', 'zoe'), id: 'no uuid' }
  const [first, second, third] = await Promise.allSettled([
    accept(newCommand('a', '', 'zoe')),
    accept(bad),
    accept(newCommand('b', '', 'zoe')),
  ])
  expect([first?.status, second?.status, third?.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})

test('keys are forgotten after their time, and not before', async () => {
  const sql = database.sql()
  await sql`update journal.idempotency_keys set accepted_at = now() - interval '23 hours' where actor_id = 'bob'`
  await sql`update journal.idempotency_keys set accepted_at = now() - interval '25 hours' where actor_id = 'eve'`
  await sql`select journal.forget_keys(${24 * 3_600_000})`
  const left = await sql<{ actor_id: string }[]>`select distinct actor_id from journal.idempotency_keys`
  expect(left.map(row => row.actor_id)).toContain('bob')
  expect(left.map(row => row.actor_id)).not.toContain('eve')
})
