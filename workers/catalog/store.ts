import type { Tx } from '../../queues/outcome.ts'
import type { Stock } from './domain.ts'

export interface NewProduct {
  readonly id: string
  readonly sku: string
  readonly title: string
  readonly priceMinor: number
  readonly currency: string
  readonly onHand: number
  readonly categories?: readonly string[]
  readonly createdAt: Date
}

/** True if the product is there under this id, now or since an earlier run; false if another has its SKU. */
export async function insertProduct(tx: Tx, product: NewProduct): Promise<boolean> {
  const { id, sku, title, priceMinor, currency, onHand, categories = [], createdAt } = product
  const inserted = await tx`
    with product as (
      insert into catalog.products (id, sku, title, price_minor, currency, created_at)
      values (${id}, ${sku}, ${title}, ${priceMinor}, ${currency}, ${createdAt})
      on conflict do nothing returning *
    ), price as (
      insert into catalog.prices (product_id, version, price_minor, currency, since, command_id)
      select id, price_version, price_minor, currency, created_at, id from product
    ), categories as (
      insert into catalog.product_categories (product_id, category)
      select id, unnest(${[...categories]}::text[]) from product
    )
    insert into catalog.stock (sku, on_hand) select sku, ${onHand}::bigint from product`
  if (inserted.count > 0) return true
  const known = await tx`select from catalog.products where id = ${id}`
  return known.count > 0
}

export interface PriceChange {
  readonly productId: string
  readonly priceMinor: number
  readonly currency: string
  readonly commandId: string
}

/** The SKU of the product, and whether the price is another than before; null if there is no such product. */
export async function updatePrice(
  tx: Tx,
  { productId, priceMinor, currency, commandId }: PriceChange,
): Promise<{ readonly sku: string; readonly isNew: boolean } | null> {
  // The row is locked when the clock is read: prices follow each other in time as they do in version.
  const [changed] = await tx<{ sku: string }[]>`
    with changed as (
      update catalog.products p
      set price_minor = ${priceMinor}, currency = ${currency}, price_version = p.price_version + 1
      where p.id = ${productId} and (p.price_minor <> ${priceMinor} or p.currency <> ${currency})
      returning p.*
    ), price as (
      insert into catalog.prices (product_id, version, price_minor, currency, since, command_id)
      select id, price_version, price_minor, currency, clock_timestamp(), ${commandId} from changed
    )
    select sku from changed`
  if (changed) return { ...changed, isNew: true }
  const [same] = await tx<{ sku: string }[]>`select sku from catalog.products where id = ${productId}`
  return same ? { ...same, isNew: false } : null
}

/** False if there is no such product. */
export async function updateCategories(
  tx: Tx,
  productId: string,
  categories: readonly string[],
): Promise<boolean> {
  // Locked before the categories are looked at, or two that come together would leave those of both.
  const product = await tx`select from catalog.products where id = ${productId} for no key update`
  if (product.count === 0) return false
  const names = [...categories]
  await tx`
    with gone as (
      delete from catalog.product_categories where product_id = ${productId} and category <> all(${names}::text[])
    )
    insert into catalog.product_categories (product_id, category)
    select ${productId}, unnest(${names}::text[]) on conflict do nothing`
  return true
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
