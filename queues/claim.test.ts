import { afterAll, beforeAll, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../db/client.ts'
import { type TestDatabase, testDatabase } from '../test/harness.ts'
import { createJournal } from './journal.ts'
import { startTrace } from './trace.ts'

let database: TestDatabase
let sql: Sql
beforeAll(async () => {
  database = await testDatabase()
  sql = database.sql()
})
afterAll(() => database.drop())

test('claimed at once: what is free, due, held, left behind, settled, locked or unknown is told each its own', async () => {
  const [free, other, early, held, left, settled, locked] = (await accept(7)) as Ids<7>
  await sql`update journal.commands set due_at = now() + interval '1 hour' where id = ${early}`
  const before = createJournal(sql, 'the one before')
  expect(await before.claim(held, false)).toMatchObject({ kind: 'claimed', claim: { fence: 1, crashes: 0 } })
  await Promise.all([before.claim(left, false), before.claim(settled, false)])
  await before.settle({
    id: settled,
    fence: 1,
    state: 'succeeded',
    result: null,
    error: null,
    fingerprint: null,
    because: null,
    delayMs: null,
    consequences: { commands: [], events: [] },
  })

  const now = createJournal(sql, 'this one')
  await sql.begin(async tx => {
    await tx`select from journal.commands where id = ${locked} for update`
    const ids = [free, early, held, left, settled, locked, uuidv7(), other]
    const answers = await Promise.all(ids.map(id => now.claim(id, id === left)))
    expect(answers).toMatchObject([
      { kind: 'claimed', claim: { id: free, fence: 1, crashes: 0 } },
      { kind: 'early' },
      { kind: 'early', dueInMs: 1_000 },
      { kind: 'claimed', claim: { id: left, fence: 2, crashes: 1 } },
      { kind: 'gone' },
      { kind: 'early', dueInMs: 1_000 },
      { kind: 'gone' },
      { kind: 'claimed', claim: { id: other, fence: 1, crashes: 0 } },
    ])
  })
  expect(await now.claim(locked, false)).toMatchObject({ kind: 'claimed', claim: { fence: 1 } })
  const lost = await sql`select command_id, fence, worker from journal.attempts where outcome = 'lost'`
  expect([...lost]).toEqual([{ command_id: left, fence: 1, worker: 'the one before' }])
})

test('what is held is not taken over, but for how long a worker may hold it', async () => {
  const [id] = (await accept(1)) as Ids<1>
  await createJournal(sql, 'the one before').claim(id, false)
  const next = createJournal(sql, 'the next')
  expect(await next.claim(id, false)).toEqual({ kind: 'early', dueInMs: 1_000 })
  await sql`update journal.commands set started_at = now() - interval '34 seconds' where id = ${id}`
  expect(await next.claim(id, false)).toEqual({ kind: 'early', dueInMs: 1_000 })
  await sql`update journal.commands set started_at = now() - interval '35 seconds' where id = ${id}`
  expect(await next.claim(id, false)).toMatchObject({ kind: 'claimed', claim: { fence: 2, crashes: 1 } })
})

test('a worker that never heard of its claim may claim again, and has not died', async () => {
  const [id] = (await accept(1)) as Ids<1>
  const journal = createJournal(sql, 'the same')
  await journal.claim(id, false)
  expect(await journal.claim(id, false)).toMatchObject({ kind: 'claimed', claim: { fence: 2, crashes: 0 } })
})

test('one id that is asked for twice at once is claimed once', async () => {
  const [id] = (await accept(1)) as Ids<1>
  const rows = await sql<{ fence: number | null }[]>`
    select fence from journal.claim(${[id, id]}::uuid[], 'somebody')`
  expect(rows.map(row => row.fence)).toEqual([1])
})

type Ids<N extends number, Found extends string[] = []> = Found['length'] extends N
  ? Found
  : Ids<N, [...Found, string]>

async function accept(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidv7())
  const commands = ids.map(id => ({
    id,
    type: 'payments.charge',
    input: {},
    correlation_id: id,
    traceparent: startTrace(),
  }))
  await sql`select journal.write_commands(${sql.json(commands)})`
  return ids
}
