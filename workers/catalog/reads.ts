import type { Sql } from '../../db/client.ts'
import type { Price, Product, ProductFilter } from '../../queues/catalog.ts'

export interface ProductSearch extends ProductFilter {
  /** Only products older than this one. */
  readonly cursor: string | null
  readonly limit: number
}

/** Newest first. */
export async function listProducts(sql: Sql, search: ProductSearch): Promise<readonly Product[]> {
  const rows = await selectProducts(sql, search)
  return rows.map(toProduct)
}

/** The statement behind it, which must not depend on how many products there are. */
export const selectProducts = (sql: Sql, { cursor, limit, ...filter }: ProductSearch) =>
  sql<ProductRow[]>`
    with ${found(sql, filter)} page as (
      select listed.id from ${listed(sql, filter)} listed
      where true ${cursor === null ? sql`` : sql`and listed.id < ${cursor}`} ${narrowed(sql, filter)}
      order by listed.id desc limit ${limit}
    )
    select ${columns(sql)}
    from page join catalog.products p on p.id = page.id join catalog.stock s on s.sku = p.sku
    order by page.id desc`

/**
 * All that `q` finds, by the index. Postgres cannot know how much that is: left to itself it reads the products one by
 * one until a page is full, which for a rare word is all of them.
 */
const found = (sql: Sql, { q }: ProductFilter) =>
  q === undefined
    ? sql``
    : sql`found as materialized (
        select p.id from catalog.products p where p.search @@ (select catalog.search_query(${q}))
      ),`

/** Where the page is cut from: in the order of ids already, unless it was searched for. */
function listed(sql: Sql, { q, category }: ProductFilter) {
  if (q !== undefined) return sql`found`
  if (category === undefined) return sql`catalog.products`
  return sql`(select product_id as id from catalog.product_categories where category = ${category})`
}

const narrowed = (sql: Sql, { q, category, sku }: ProductFilter) => sql`
  ${
    q === undefined || category === undefined
      ? sql``
      : sql`and exists (
          select from catalog.product_categories c where c.product_id = listed.id and c.category = ${category}
        )`
  }
  ${sku === undefined ? sql`` : sql`and listed.id = (select id from catalog.products where sku = ${sku})`}`

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

type ProductRow = Omit<Product, 'createdAt'> & { readonly createdAt: Date }
type PriceRow = Omit<Price, 'since'> & { readonly since: Date }

const columns = (sql: Sql) => sql`
  p.id, p.sku, p.title, p.price_minor as "priceMinor", p.currency, s.on_hand - s.reserved as available,
  array(select c.category from catalog.product_categories c where c.product_id = p.id order by c.category) as categories,
  p.created_at as "createdAt"`

const toProduct = (row: ProductRow): Product => ({ ...row, createdAt: row.createdAt.toISOString() })
