import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect, type Sql } from '../../db/client.ts'
import { mainStoreId } from '../../queues/stores.ts'
import { type TestDatabase, testDatabase } from '../../test/harness.ts'
import { type ProductSearch, selectProducts } from './reads.ts'

const products = 20_000
const smallStore = '00000000-0000-7000-8000-000000000002'

let database: TestDatabase
let sql: Sql
beforeAll(async () => {
  database = await testDatabase()
  const owner = database.sql()
  await owner`insert into catalog.stores (id, kind, name, capture, created_at)
    values (${smallStore}, 'shop', 'Small', 'automatic', now())`
  // The products of the small store are the oldest of all.
  await owner`
    insert into catalog.products (id, sku, title, price_minor, currency, created_at, variants, store_id)
    select overlay(gen_random_uuid()::text placing case when n <= 5 then '00000000' else '7' end from 1)::uuid,
      'SKU-' || n, 'Tea ' || case n when 1 then 'rare' else md5(n::text) end, n, 'EUR', now(), 1,
      case when n <= 5 then ${smallStore} else ${mainStoreId} end::uuid
    from generate_series(1, ${products}) n`
  await owner`insert into catalog.product_categories select id, 'All', store_id from catalog.products`
  // The latest of all are variants: as many as there are products.
  await owner`
    insert into catalog.products (id, sku, title, price_minor, currency, created_at, store_id, parent_id, options)
    select overlay(gen_random_uuid()::text placing 'ffffffff' from 1)::uuid, sku || '-M', title || ' (M)', 1, 'EUR',
      now(), store_id, id, '{"size": "M"}'
    from catalog.products`
  await owner`insert into catalog.stock (sku, on_hand) select sku, 1 from catalog.products`
  await owner`analyze catalog.products, catalog.stock, catalog.product_categories`
  sql = connect(database.url, { role: 'waybill_catalog', max: 1 })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})

interface Node {
  readonly 'Node Type': string
  readonly 'Index Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly Node[]
}
const nodesOf = (node: Node): readonly Node[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)]

/** What the statement did: the indexes it went through, and the rows it looked at. */
async function carriedOut(search: Partial<ProductSearch>) {
  const statement = selectProducts(sql, { cursor: null, limit: 21, ...search })
  const [row] = await sql<{ 'QUERY PLAN': [{ Plan: Node }] }[]>`explain (analyze, format json) ${statement}`
  const nodes = row ? nodesOf(row['QUERY PLAN'][0].Plan) : []
  const rows = nodes.map(
    each => (each['Actual Rows'] + (each['Rows Removed by Filter'] ?? 0)) * each['Actual Loops'],
  )
  return {
    types: nodes.map(each => each['Node Type']),
    indexes: nodes.map(each => each['Index Name']),
    most: Math.max(...rows),
  }
}

describe.each(['force_custom_plan', 'force_generic_plan'])('among 20,000 products, with %s', mode => {
  beforeAll(() => sql.unsafe(`set plan_cache_mode = ${mode}`).execute())

  test.each<[Partial<ProductSearch>, string]>([
    [{}, 'products_listed'],
    [{ storeId: mainStoreId }, 'products_of_store'],
    [{ storeId: smallStore }, 'products_of_store'],
    [{ storeId: mainStoreId, category: 'All' }, 'product_categories_of_store'],
    [{ storeId: smallStore, category: 'All' }, 'product_categories_of_store'],
    [{ storeId: mainStoreId, category: 'None' }, 'product_categories_of_store'],
    [{ storeId: mainStoreId, q: 'rare' }, 'products_search'],
    [{ q: 'rare' }, 'products_search'],
    [{ q: 'nothing has this' }, 'products_search'],
    [{ q: '!!!' }, 'products_search'],
    [{ q: 'rare', category: 'All' }, 'products_search'],
    [{ category: 'All' }, 'product_categories_newest'],
    [{ category: 'None' }, 'product_categories_newest'],
    [{ sku: 'SKU-77' }, 'products_sku_key'],
    [{ sku: 'SKU-77-M' }, 'products_sku_key'],
    [{ sku: 'SKU-77', category: 'All' }, 'products_sku_key'],
  ])('%p looks at no more than a page of rows, by %s', async (search, index) => {
    const { types, indexes, most } = await carriedOut(search)
    expect(types).not.toContain('Seq Scan')
    expect(indexes).toContain(index)
    expect(most).toBeLessThanOrEqual(21)
  })
  test('what everything has is collected once and cut to a page before products are read', async () => {
    const { types, indexes, most } = await carriedOut({ q: 'tea' })
    expect([indexes.includes('products_search'), most]).toEqual([true, 2 * products])
    expect(types).not.toContain('Seq Scan')
  })
})
