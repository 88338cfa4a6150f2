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

test('claimed at once: who is free, due, held, settled, locked or unknown is told each its own', async () => {
  const [free, other, early, held, settled, locked] = (await accept(6)) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  await sql`update journal.commands set due_at = now() + interval '1 hour' where id = ${early}`
  const before = createJournal(sql, 'the one before')
  expect(await before.claim(held)).toMatchObject({ kind: 'claimed', claim: { fence: 1, crashes: 0 } })
  await before.claim(settled)
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
    const ids = [free, early, held, settled, locked, uuidv7(), other]
    const answers = await Promise.all(ids.map(id => now.claim(id)))
    expect(answers).toMatchObject([
      { kind: 'claimed', claim: { id: free, fence: 1, crashes: 0 } },
      { kind: 'early' },
      { kind: 'claimed', claim: { id: held, fence: 2, crashes: 1 } },
      { kind: 'gone' },
      { kind: 'early', dueInMs: 1_000 },
      { kind: 'gone' },
      { kind: 'claimed', claim: { id: other, fence: 1, crashes: 0 } },
    ])
  })
  expect(await now.claim(locked)).toMatchObject({ kind: 'claimed', claim: { fence: 1 } })
  const lost = await sql`select command_id, fence, worker from journal.attempts where outcome = 'lost'`
  expect([...lost]).toEqual([{ command_id: held, fence: 1, worker: 'the one before' }])
})

test('one id that is asked for twice at once is claimed once', async () => {
  const [id] = (await accept(1)) as [string]
  const rows = await sql<{ fence: number | null }[]>`
    select fence from journal.claim(${[id, id]}::uuid[], 'somebody')`
  expect(rows.map(row => row.fence)).toEqual([1])
})

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
