import type { Sql } from '../../db/client.ts'
import type { Price, Product, ProductFilter } from '../../queues/catalog.ts'
import type { FoundPage, SearchCache } from './search-cache.ts'

export interface ProductSearch extends ProductFilter {
  /** Only products older than this one. */
  readonly cursor: string | null
  readonly limit: number
}

/** Newest first. What is searched for by words may be remembered: which products, never what they cost or how many there are. */
export async function listProducts(
  sql: Sql,
  cache: SearchCache,
  search: ProductSearch,
): Promise<readonly Product[]> {
  if (search.q === undefined) return (await selectProducts(sql, search)).map(toProduct)
  const remembered = await cache.read(search)
  const known = remembered ? await selectRemembered(sql, remembered) : []
  if (known.length > 0) return known.map(toProduct)
  const rows = await selectProducts(sql, search)
  const [first] = rows
  if (first && first.total >= totalWorthRemembering)
    cache.write(search, { server: first.server, snapshot: first.snapshot, ids: rows.map(({ id }) => id) })
  return rows.map(toProduct)
}

/** Below that many products found, searching costs less than remembering. */
const totalWorthRemembering = 500

/** The products of a page that was found before, as they are now; none if it might be another page by now. */
const selectRemembered = (sql: Sql, { server, snapshot, ids }: FoundPage) =>
  sql<ProductRow[]>`
    select ${columns(sql)} from catalog.products p join catalog.stock s on s.sku = p.sku
    where p.id = any(${ids as string[]}::uuid[]) and (select catalog.still_finds(${server}, ${snapshot}))
    order by p.id desc`

/** The statement behind it, which must not depend on how many products there are. */
export const selectProducts = (sql: Sql, { cursor, limit, ...filter }: ProductSearch) => {
  const { list, order } = listed(sql, filter, cursor ?? lastId)
  return sql<FoundRow[]>`
    with ${found(sql, filter)} page as (
      select listed.id from ${list} listed
      where true ${cursor === null ? sql`` : sql`and listed.id < ${cursor}`} ${narrowed(sql, filter)}
      order by ${order} limit ${limit}
    )
    select ${columns(sql)} ${filter.q === undefined ? sql`` : sql`, ${foundIn(sql)}`}
    from page join catalog.products p on p.id = page.id join catalog.stock s on s.sku = p.sku
    order by page.id desc`
}

/**
 * All that `q` finds, by the index, a product for its variants. Postgres cannot know how much that is: left to itself it
 * reads the products one by one until a page is full, which for a rare word is all of them.
 */
const found = (sql: Sql, { q }: ProductFilter) =>
  q === undefined
    ? sql``
    : sql`found as materialized (
        select distinct coalesce(p.parent_id, p.id) as id
        from catalog.products p where p.search @@ (select catalog.search_query(${q}))
      ),`

/** How much was found, and in which snapshot of which run of the server. */
const foundIn = (sql: Sql) => sql`
  (select count(*) from found) as total, pg_current_snapshot()::text as snapshot,
  extract(epoch from pg_postmaster_start_time())::text as server`

const firstId = '00000000-0000-0000-0000-000000000000'
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/**
 * Where the page is cut from: in the order of ids already, unless it was searched for. What is of a store is a stretch
 * of an index, and said to be: for an equal store, Postgres might read everything by id and leave out the others.
 */
function listed(sql: Sql, { q, category, storeId }: ProductFilter, before: string) {
  const byId = sql`listed.id desc`
  if (q !== undefined) return { list: sql`found`, order: byId }
  if (storeId === undefined) {
    const list =
      category === undefined
        ? sql`(select id from catalog.products where parent_id is null)`
        : sql`(select product_id as id from catalog.product_categories where category = ${category})`
    return { list, order: byId }
  }
  if (category === undefined)
    return {
      list: sql`(select store_id, id from catalog.products where parent_id is null
        and (store_id, id) > (${storeId}, ${firstId}) and (store_id, id) < (${storeId}, ${before}))`,
      order: sql`listed.store_id desc, listed.id desc`,
    }
  return {
    list: sql`(select store_id, category, product_id as id from catalog.product_categories
      where (store_id, category, product_id) > (${storeId}, ${category}, ${firstId})
        and (store_id, category, product_id) < (${storeId}, ${category}, ${before}))`,
    order: sql`listed.store_id desc, listed.category desc, listed.id desc`,
  }
}

const narrowed = (sql: Sql, { q, category, sku, storeId }: ProductFilter) => sql`
  ${
    q === undefined || category === undefined
      ? sql``
      : sql`and exists (
          select from catalog.product_categories c where c.product_id = listed.id and c.category = ${category}
        )`
  }
  ${
    q === undefined || storeId === undefined
      ? sql``
      : sql`and exists (select from catalog.products o where o.id = listed.id and o.store_id = ${storeId})`
  }
  ${
    sku === undefined
      ? sql``
      : sql`and listed.id = (select coalesce(parent_id, id) from catalog.products where sku = ${sku})`
  }`

export async function readProduct(sql: Sql, id: string): Promise<Product | null> {
  const [row] = await sql<ProductRow[]>`
    select ${columns(sql)} from catalog.products p join catalog.stock s on s.sku = p.sku where p.id = ${id}`
  return row ? toProduct(row) : null
}

/** Every price that the product had, newest first, those before the version `cursor`; null if there is no such product. */
export async function listPrices(
  sql: Sql,
  productId: string,
  { cursor, limit }: { readonly cursor: number | null; readonly limit: number },
): Promise<readonly Price[] | null> {
  const rows = await sql<PriceRow[]>`
    select version, price_minor as "priceMinor", currency, since, command_id as "commandId"
    from catalog.prices
    where product_id = ${productId} ${cursor === null ? sql`` : sql`and version < ${cursor}`}
    order by version desc limit ${limit}`
  if (rows.length === 0) {
    const product = await sql`select from catalog.products where id = ${productId}`
    if (product.count === 0) return null
  }
  return rows.map(row => ({ ...row, since: row.since.toISOString() }))
}

interface ProductRow extends Omit<Product, 'createdAt'> {
  readonly createdAt: Date
}
/** What only a search by words tells. */
interface FoundRow extends ProductRow {
  readonly total: number
  readonly snapshot: string
  readonly server: string
}
type PriceRow = Omit<Price, 'since'> & { readonly since: Date }

const columns = (sql: Sql) => sql`
  p.id, p.sku, p.title, p.description, p.price_minor as "priceMinor", p.currency, s.on_hand - s.reserved as available,
  p.weight_g as "weightG", p.tax_class as "taxClass", p.store_id as "storeId", p.parent_id as "variantOf", p.options,
  array(select c.category from catalog.product_categories c where c.product_id = p.id order by c.category) as categories,
  case when p.variants = 0 then '[]' else (
    select jsonb_agg(jsonb_build_object('id', v.id, 'sku', v.sku, 'options', v.options, 'priceMinor', v.price_minor,
      'currency', v.currency, 'weightG', v.weight_g, 'available', vs.on_hand - vs.reserved) order by v.id)
    from catalog.products v join catalog.stock vs on vs.sku = v.sku where v.parent_id = p.id) end as variants,
  p.created_at as "createdAt"`

const toProduct = (row: ProductRow & Partial<FoundRow>): Product => {
  const { total: _, snapshot: __, server: ___, createdAt, ...product } = row
  return { ...product, createdAt: createdAt.toISOString() }
}
