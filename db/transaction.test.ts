import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { createServer, connect as dial } from 'node:net'
import { freePort } from '../deploy/local/ports.ts'
import { type TestDatabase, testDatabase } from '../test/harness.ts'
import { connect, type Sql } from './client.ts'
import { type Tx, transact } from './transaction.ts'

let database: TestDatabase
let owner: Sql
let sql: Sql
beforeAll(async () => {
  database = await testDatabase()
  owner = database.sql()
  await owner`create table public.notes (note text primary key)`
  sql = connect(database.url, { max: 1 })
})
beforeEach(async () => {
  await owner`truncate public.notes`
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})

const note = (tx: Sql | Tx, text: string) => tx`insert into public.notes values (${text})`
const notes = async () => (await owner`select note from public.notes order by note`).map(row => row.note)
const endConnection = () => owner`select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and state = 'idle in transaction'`

test('the effects and the last statement are written together, and the value is answered', async () => {
  const value = await transact(
    sql,
    async tx => {
      await note(tx, 'effect')
      expect(await notes()).toEqual([])
      return 'last'
    },
    (tx, value) => note(tx, value),
  )
  expect(value).toBe('last')
  expect(await notes()).toEqual(['effect', 'last'])
})

test('nothing is written if the effects throw, after whatever they did', async () => {
  const broken = transact(
    sql,
    async tx => {
      await note(tx, 'effect')
      throw new Error('broken')
    },
    tx => note(tx, 'last'),
  )
  await expect(broken).rejects.toThrow('broken')
  expect(await notes()).toEqual([])
})

test('nothing is written if a statement of the effects or the last one fails', async () => {
  const inEffects = transact(
    sql,
    async tx => {
      await note(tx, 'twice')
      await note(tx, 'twice')
    },
    tx => note(tx, 'last'),
  )
  await expect(inEffects).rejects.toThrow('duplicate key')
  const atLast = transact(
    sql,
    async tx => void (await note(tx, 'twice')),
    tx => note(tx, 'twice'),
  )
  await expect(atLast).rejects.toThrow('duplicate key')
  expect(await notes()).toEqual([])
  await transact(
    sql,
    async () => {},
    tx => note(tx, 'next'),
  )
  expect(await notes()).toEqual(['next'])
})

test('nothing is written if the connection is lost, and nothing of it runs on the one that follows', async () => {
  const lost = transact(
    sql,
    async tx => {
      await note(tx, 'effect')
      await endConnection()
      await Bun.sleep(50)
      await note(sql, 'other') // the pool has connected again
      await note(tx, 'late')
    },
    tx => note(tx, 'last'),
  )
  expect(await lost.catch(error => error.code)).toBe('CONNECTION_CLOSED')
  expect(await notes()).toEqual(['other'])
})

test('the pool is whole again after Postgres was away', async () => {
  const url = new URL(database.url)
  const target = Number(url.port)
  const port = await freePort()
  url.port = String(port)
  const away = connect(url.href, { max: 2 })
  const six = () =>
    Array.from({ length: 6 }, (_, at) =>
      transact(
        away,
        async () => {},
        tx => note(tx, `${at}`),
      ),
    )
  const codes = (await Promise.allSettled(six())).map(each => each.status === 'rejected' && each.reason.code)
  expect(codes).toEqual(Array(6).fill('ECONNREFUSED'))

  const bridge = createServer(socket => socket.pipe(dial(target, '127.0.0.1')).pipe(socket))
  await new Promise<void>(done => bridge.listen(port, '127.0.0.1', done))
  await Promise.all(six())
  expect(await notes()).toHaveLength(6)
  await away.end({ timeout: 1 })
  bridge.close()
})

test('an effect that is late writes nothing behind the rollback', async () => {
  const failed = Promise.withResolvers<void>()
  const late: Promise<unknown>[] = []
  const transaction = transact(
    sql,
    async tx => {
      await note(tx, 'first')
      late.push(failed.promise.then(() => note(tx, 'late')).catch((error: Error) => error.message))
      queueMicrotask(failed.resolve)
      throw new Error('another effect failed')
    },
    tx => note(tx, 'last'),
  )
  await expect(transaction).rejects.toThrow('another effect failed')
  expect(await Promise.all(late)).toEqual(['the transaction has ended'])
  expect(await notes()).toEqual([])
})
