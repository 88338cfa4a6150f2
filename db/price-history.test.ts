import { afterAll, beforeAll, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { v7 as uuidv7 } from 'uuid'
import { connect, type Sql } from './client.ts'

const folder = join(import.meta.dir, 'migrations')
const files = readdirSync(folder).sort()
const at = files.indexOf('0012_catalog_reads.sql')
const apply = async (sql: Sql, names: readonly string[]) => {
  for (const name of names)
    await sql.begin(tx => tx.unsafe(readFileSync(join(folder, name), 'utf8')).execute())
}

const name = `test_${randomBytes(6).toString('hex')}`
const url = new URL(process.env.DATABASE_URL ?? 'postgres://DATABASE_URL-is-not-set')
let owner: Sql
let sql: Sql
beforeAll(async () => {
  owner = connect(url.href, { max: 1 })
  await owner.unsafe(`create database ${name}`)
  url.pathname = `/${name}`
  sql = connect(url.href, { max: 1 })
  await apply(sql, files.slice(0, at))
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await owner.unsafe(`drop database ${name} with (force)`)
  await owner.end({ timeout: 1 })
})

let minutes = 0
/** A later moment with every call. */
const later = () => new Date(Date.UTC(2026, 0, 1, 0, ++minutes)).toISOString()
async function product(priceMinor: number): Promise<string> {
  const id = uuidv7()
  await sql`insert into catalog.products (id, sku, title, price_minor, currency, created_at)
    values (${id}, ${id.toUpperCase()}, 'Tea', ${priceMinor}, 'EUR', ${later()})`
  return id
}
async function command(type: string, input: object, { id = uuidv7(), state = 'succeeded' } = {}) {
  const when = later()
  await sql`insert into journal.commands (id, type, input, state, due_at, correlation_id, traceparent, settled_at)
    values (${id}, ${type}, ${sql.json(input as never)}, ${state}, ${when}, ${id}, '00', ${when})`
  return id
}
const create = (id: string, priceMinor: number) =>
  command('catalog.create-product', { priceMinor, currency: 'EUR' }, { id })
const set = (productId: string, priceMinor: number, state = 'succeeded') =>
  command('catalog.set-price', { productId, priceMinor, currency: 'EUR' }, { state })

test('prices of before the history was kept are those that the journal knows; the newest is the price of today', async () => {
  const told = await product(300)
  await create(told, 100)
  const [raised, , , final] = [
    await set(told, 200),
    await set(told, 200),
    await set(told, 999, 'dead'),
    await set(told, 300),
  ]
  const untouched = await product(50)
  await create(untouched, 50)
  const forgotten = await product(70)
  const halfForgotten = await product(90)
  const known = await set(halfForgotten, 80)

  await apply(sql, files.slice(at, at + 1))
  const historyOf = async (id: string) => {
    const rows = await sql<{ version: number; price: number; command: string | null; current: number }[]>`
      select h.version, h.price_minor as price, h.command_id as command, p.price_version as current
      from catalog.prices h join catalog.products p on p.id = h.product_id where p.id = ${id} order by h.version`
    expect(rows.at(-1)?.current).toBe(rows.length)
    return rows.map(each => [each.version, each.price, each.command])
  }
  expect(await historyOf(told)).toEqual([
    [1, 100, told],
    [2, 200, raised],
    [3, 300, final],
  ])
  expect(await historyOf(untouched)).toEqual([[1, 50, untouched]])
  expect(await historyOf(forgotten)).toEqual([[1, 70, null]])
  expect(await historyOf(halfForgotten)).toEqual([
    [1, 80, known],
    [2, 90, null],
  ])
  expect(
    await sql`select count(*) from catalog.products where search @@ catalog.search_query('tea')`,
  ).toMatchObject([{ count: 4 }])
})
