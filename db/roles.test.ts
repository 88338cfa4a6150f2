import { afterAll, beforeAll, expect, test } from 'bun:test'
import { services } from '../queues/registry.ts'
import { type TestDatabase, testDatabase } from '../test/harness.ts'
import { migrate } from './migrate.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.drop())

const refused = /permission denied/
const tables = (schema: string) =>
  database.sql()<{ name: string }[]>`select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname = ${schema}`

for (const { name } of services) {
  test(`${name} reads its own schema and no other service's`, async () => {
    const sql = database.sql(name)
    for (const own of await tables(name))
      expect((await sql.unsafe(`select from ${own.name} limit 1`)).count).toBeWithin(0, 2)
    for (const other of services.filter(each => each.name !== name)) {
      for (const table of await tables(other.name)) {
        await expect(sql.unsafe(`select from ${table.name}`)).rejects.toThrow(refused)
        await expect(sql.unsafe(`delete from ${table.name}`)).rejects.toThrow(refused)
      }
    }
  })
  test(`${name} reaches the journal through its functions only`, async () => {
    const sql = database.sql(name)
    for (const table of await tables('journal')) {
      await expect(sql.unsafe(`select from ${table.name}`)).rejects.toThrow(refused)
      await expect(sql.unsafe(`delete from ${table.name}`)).rejects.toThrow(refused)
    }
    expect(await sql`select * from journal.claim('{}'::uuid[], 'nobody')`).toHaveLength(0)
  })
}

test('the edge reads commands and their stories, changes none, and sees no service', async () => {
  const sql = database.sql('edge')
  expect((await sql`select from journal.commands`).count).toBe(0)
  await expect(sql`delete from journal.commands`).rejects.toThrow(refused)
  await expect(sql`update journal.commands set state = 'dead'`).rejects.toThrow(refused)
  for (const { name } of services) {
    for (const table of await tables(name))
      await expect(sql.unsafe(`select from ${table.name}`)).rejects.toThrow(refused)
  }
})

test('migrating twice, and by four processes at once, applies each file once', async () => {
  expect(await migrate(database.url)).toEqual([])
  const empty = new URL(database.url)
  empty.pathname = `${empty.pathname}_race`
  await database.sql().unsafe(`create database ${empty.pathname.slice(1)}`)
  const script = new URL('./migrate.ts', import.meta.url).pathname
  const runs = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = Bun.spawn([process.execPath, script], {
        env: { ...process.env, DATABASE_URL: empty.href },
        stderr: 'pipe',
      })
      const [out, err, code] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ])
      return { out, err, code }
    }),
  )
  expect(runs.map(run => [run.code, run.err])).toEqual(runs.map(() => [0, '']))
  expect(runs.filter(run => run.out.startsWith('applied 0001'))).toHaveLength(1)
  expect(runs.filter(run => run.out.startsWith('nothing to apply'))).toHaveLength(3)
  await database.sql().unsafe(`drop database ${empty.pathname.slice(1)} with (force)`)
})
