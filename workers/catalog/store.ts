import type { Sql } from '../../db/client.ts'
import type { Product } from '../../queues/catalog.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { Stock } from './domain.ts'

export interface NewProduct {
  readonly id: string
  readonly sku: string
  readonly title: string
  readonly priceMinor: number
  readonly currency: string
  readonly onHand: number
  readonly createdAt: Date
}

/** True if the product is there under this id, now or since an earlier run; false if another has its SKU. */
export async function insertProduct(tx: Tx, product: NewProduct): Promise<boolean> {
  const { id, sku, title, priceMinor, currency, onHand, createdAt } = product
  const inserted = await tx`
    with product as (
      insert into catalog.products (id, sku, title, price_minor, currency, created_at)
      values (${id}, ${sku}, ${title}, ${priceMinor}, ${currency}, ${createdAt})
      on conflict do nothing returning sku
    )
    insert into catalog.stock (sku, on_hand) select sku, ${onHand}::bigint from product`
  if (inserted.count > 0) return true
  const known = await tx`select from catalog.products where id = ${id}`
  return known.count > 0
}

/** The SKU of the product, or null if there is none. */
export async function updatePrice(
  tx: Tx,
  price: { readonly productId: string; readonly priceMinor: number; readonly currency: string },
): Promise<string | null> {
  const [row] = await tx<{ sku: string }[]>`
    update catalog.products set price_minor = ${price.priceMinor}, currency = ${price.currency}
    where id = ${price.productId} returning sku`
  return row?.sku ?? null
}

/** The stock as it is now, or null if more than `onHand` is reserved or there is no such product. */
export async function updateStock(
  tx: Tx,
  productId: string,
  onHand: number,
): Promise<(Stock & { readonly sku: string }) | null> {
  const [row] = await tx<(Stock & { sku: string })[]>`
    update catalog.stock s set on_hand = ${onHand}
    from catalog.products p
    where p.id = ${productId} and s.sku = p.sku and s.reserved <= ${onHand}
    returning s.sku, s.on_hand as "onHand", s.reserved`
  return row ?? null
}

export async function readStock(tx: Tx, productId: string): Promise<Stock | null> {
  const [row] = await tx<Stock[]>`
    select s.on_hand as "onHand", s.reserved
    from catalog.products p join catalog.stock s on s.sku = p.sku where p.id = ${productId}`
  return row ?? null
}

/** Newest first, those older than the product `cursor`. */
export async function listProducts(
  sql: Sql,
  { cursor, limit }: { readonly cursor: string | null; readonly limit: number },
): Promise<readonly Product[]> {
  const rows = await sql<ProductRow[]>`
    select ${columns(sql)} from catalog.products p join catalog.stock s on s.sku = p.sku
    ${cursor === null ? sql`` : sql`where p.id < ${cursor}`}
    order by p.id desc limit ${limit}`
  return rows.map(toProduct)
}

export async function readProduct(sql: Sql, id: string): Promise<Product | null> {
  const [row] = await sql<ProductRow[]>`
    select ${columns(sql)} from catalog.products p join catalog.stock s on s.sku = p.sku where p.id = ${id}`
  return row ? toProduct(row) : null
}

type ProductRow = Omit<Product, 'createdAt'> & { readonly createdAt: Date }

const columns = (sql: Sql) => sql`
  p.id, p.sku, p.title, p.price_minor as "priceMinor", p.currency, s.on_hand - s.reserved as available,
  p.created_at as "createdAt"`

const toProduct = (row: ProductRow): Product => ({ ...row, createdAt: row.createdAt.toISOString() })
