import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { JSONValue } from 'postgres'
import { v7 as uuidv7 } from 'uuid'
import { connect, isAway, type Sql } from '../../db/client.ts'
import { createAcceptor } from '../../queues/journal.ts'
import { charge } from '../../queues/payments.ts'
import { startTrace } from '../../queues/trace.ts'
import { type TestDatabase, testDatabase } from '../harness.ts'
import { type Held, openTap, type Tap } from './tap.ts'
import { chargeOf, until } from './world.ts'

// What db/patches does for postgres.js: without it, the rest of a transaction whose connection is lost runs outside
// any transaction, or inside that of somebody else, and its rollback ends the process.

let database: TestDatabase
let tap: Tap
let owner: Sql
let sql: Sql
beforeAll(async () => {
  database = await testDatabase()
  owner = database.sql()
  await owner`create table public.notes (writer text not null, note text not null)`
  tap = await openTap(database.url)
  sql = connect(tap.url, { max: 2 })
})
beforeEach(async () => {
  await owner`truncate public.notes`
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  tap.close()
  await database.drop()
})

const note = (writer: string, text: string, through: Sql = sql) =>
  through`insert into public.notes values (${writer}, ${text})`
const notes = async () =>
  (await owner<{ line: string }[]>`select writer || ' ' || note as line from public.notes order by 1`).map(
    row => row.line,
  )

test('a transaction that loses its connection between two statements writes nothing more', async () => {
  const others = () => Promise.all([1, 2, 3, 4].map(each => note('other', `${each}`)))
  await others()
  const lost = sql.begin(async tx => {
    await tx`insert into public.notes values ('lost', 'first')`
    await owner`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and state = 'idle in transaction'`
    // The pool opens the same connection again.
    await until(() =>
      others().then(
        () => true,
        () => false,
      ),
    )
    await tx`insert into public.notes values ('lost', 'second')`
  })
  expect(await lost.catch(error => error.code)).toBe('CONNECTION_CLOSED')
  await Bun.sleep(100)
  expect((await notes()).filter(line => line.startsWith('lost'))).toEqual([])
})

describe('a transaction whose connection is cut at any of its requests is done whole or not at all', () => {
  const statements = ['begin', 'insert into public.notes', 'select 1', 'commit', 'rollback']
  const cuts = statements.flatMap(statement =>
    (['cut', 'reset'] as const).flatMap(how => [
      [how, 'before', statement] as const,
      [how, 'after', statement] as const,
    ]),
  )
  test.each(cuts)('%s %s %s', async (how, when, statement) => {
    tap.strike = held => held[how]()
    await note('other', 'warms up')
    tap.judge = step => (step === `postgres ${statement}` ? when : 'pass')
    const ending = sql.begin(async tx => {
      await tx`insert into public.notes values ('cut', 'first')`
      await tx`select 1`
      await tx`insert into public.notes values ('cut', 'second')`
      if (statement === 'rollback') throw new Error('no')
    })
    const code = await ending.then(
      () => 'committed',
      error => error.code ?? error.message,
    )
    tap.judge = () => 'pass'
    expect(isAway({ code })).toBe(true)
    await Promise.all([1, 2, 3, 4].map(each => note('other', `${each}`)))
    const written = (await notes()).filter(line => line.startsWith('cut'))
    expect(written).toEqual(when === 'after' && statement === 'commit' ? ['cut first', 'cut second'] : [])
  })
})

describe('a connection that is lost while it opens fails its query at most', () => {
  const losses = {
    cut: async ({ cut }: Held) => cut(),
    reset: async ({ reset }: Held) => reset(),
    'ended by the server': async ({ resume }: Held) => {
      await owner`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'opens' and datname = current_database()`
      await Bun.sleep(20)
      resume()
    },
  }
  const ways = Object.entries(losses).flatMap(([name, lose]) =>
    (['before', 'after'] as const).map(when => [name, when, lose] as const),
  )
  test.each(ways)('%s, %s it asks for types', async (_, when, lose) => {
    const other = await openTap(database.url)
    const pool = connect(other.url, { max: 2, name: 'opens' })
    let losses = 0
    other.judge = step => (step === 'postgres types' && losses++ < 3 ? when : 'pass')
    other.strike = held => void lose(held)
    const ask = () => pool<{ ids: number[] }[]>`select ${[1, 2]}::int[] as ids`
    for (let query = 0; query < 4; query++) {
      const answer = await ask().catch(error => error)
      if (answer instanceof Error) expect(isAway(answer)).toBe(true)
    }
    expect((await ask())[0]?.ids).toEqual([1, 2])
    expect(losses).toBeGreaterThan(2)
    await pool.end({ timeout: 1 })
    other.close()
  })
})

test('after all connections were cut, five times over, every query finds one again', async () => {
  const parked = await openTap(database.url)
  const pool = connect(parked.url, { max: 3 })
  await Promise.all([1, 2, 3].map(() => pool`select pg_sleep(0.05)`))
  for (let round = 0; round < 5; round++) {
    parked.cutAll()
    const failed = await Promise.allSettled([1, 2, 3, 4, 5, 6].map(() => pool`select 1`))
    for (const each of failed) if (each.status === 'rejected') expect(isAway(each.reason)).toBe(true)
    await Promise.all([1, 2, 3, 4, 5, 6].map(() => pool`select pg_sleep(0.01)`))
  }
  await pool.end({ timeout: 1 })
  parked.close()
})

test('a query whose parameters cannot be written fails alone, on a connection that others share', async () => {
  const pool = connect(database.url, { max: 1 })
  const ask = (value: unknown) => pool`select ${pool.json(value as JSONValue)} as answer`
  await ask('warms up')
  const answers = await Promise.allSettled([
    pool`select pg_sleep(0.05)`,
    ask(1n),
    ask('third'),
    ask(2n),
    ask('fifth'),
  ])
  expect(answers.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
  ])
  expect((await ask('sixth'))[0]?.answer).toBe('sixth')
  await pool.end({ timeout: 1 })
})

describe('a connection that falls silent', () => {
  test('fails its queries in time, and the next ones find another', async () => {
    const silent = await openTap(database.url)
    const pool = connect(silent.url, { max: 2, silenceMs: 500 })
    const ask = () => pool<{ n: number }[]>`select 1 as n`
    await Promise.all([1, 2, 3, 4].map(ask))
    await Bun.sleep(600) // an idle one is no silent one
    expect((await ask())[0]?.n).toBe(1)

    silent.judge = () => 'before'
    silent.strike = () => {}
    const asked = Array.from({ length: 6 }, async () => {
      const answer = await ask().catch(error => error)
      return answer.code
    })
    const more = setInterval(() => void ask().catch(() => {}), 50) // to write is not to hear
    expect(await Promise.all(asked)).toEqual(Array(6).fill('CONNECTION_SILENT'))
    clearInterval(more)
    silent.judge = () => 'pass'
    await until(async () => (await ask().catch(() => [{ n: 0 }]))[0]?.n === 1)
    await pool.end({ timeout: 1 })
    silent.close()
  })

  test('does not stop the accepting of commands for long', async () => {
    const silent = await openTap(database.url)
    const pool = connect(silent.url, { max: 4, silenceMs: 500 })
    const accept = createAcceptor(pool)
    const send = () =>
      accept({
        id: uuidv7(),
        command: charge,
        input: chargeOf('pm_plain', 0),
        actor: { id: uuidv7(), scopes: [] },
        idempotency: null,
        traceparent: startTrace(),
      })
    await Promise.all(Array.from({ length: 20 }, send))
    const connections = silent.holdAll()
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, send))
    for (const each of outcomes) if (each.status === 'rejected') expect(isAway(each.reason)).toBe(true)
    expect(connections).toBeGreaterThan(0)
    await until(
      () =>
        send().then(
          () => true,
          () => false,
        ),
      3_000,
    )
    await pool.end({ timeout: 1 })
    silent.close()
  })
})
