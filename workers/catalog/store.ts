import type { updateProduct as updateProductCommand } from '../../queues/catalog.ts'
import type { InputOf, OutputOf } from '../../queues/command.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { Stock } from './domain.ts'

export interface NewProduct {
  readonly id: string
  readonly sku: string
  readonly title: string
  readonly priceMinor: number
  readonly currency: string
  readonly onHand: number
  readonly storeId: string
  readonly categories?: readonly string[]
  readonly description?: string
  readonly weightG?: number
  readonly taxClass?: string
  readonly createdAt: Date
}

/** Null if the product is there under this id, now or since an earlier run; otherwise why not. */
export async function insertProduct(
  tx: Tx,
  product: NewProduct,
): Promise<'sku_taken' | 'store_not_found' | null> {
  const { id, sku, title, priceMinor, currency, onHand, storeId, categories = [], createdAt } = product
  const { description = '', weightG = 0, taxClass = 'standard' } = product
  const inserted = await tx`
    with product as (
      insert into catalog.products
        (id, sku, title, price_minor, currency, created_at, store_id, description, weight_g, tax_class)
      select ${id}, ${sku}, ${title}, ${priceMinor}, ${currency}, ${createdAt}, store.id, ${description}, ${weightG},
        ${taxClass}
      from catalog.stores store where store.id = ${storeId}
      on conflict do nothing returning *
    ), price as (
      insert into catalog.prices (product_id, version, price_minor, currency, since, command_id)
      select id, price_version, price_minor, currency, created_at, id from product
    ), categories as (
      insert into catalog.product_categories (product_id, category, store_id)
      select id, unnest(${[...categories]}::text[]), store_id from product
    )
    insert into catalog.stock (sku, on_hand) select sku, ${onHand}::bigint from product`
  if (inserted.count > 0) return null
  const [found] = await tx<{ known: boolean; store: boolean }[]>`
    select exists (select from catalog.products where id = ${id}) as known,
      exists (select from catalog.stores where id = ${storeId}) as store`
  if (found?.known) return null
  return found?.store ? 'sku_taken' : 'store_not_found'
}

type UpdateProduct = typeof updateProductCommand

/** The product as it is now; of a variant only the weight can be set. Null if there is no such product. */
export async function updateProduct(
  tx: Tx,
  { productId, title, description, weightG, taxClass }: InputOf<UpdateProduct>,
): Promise<OutputOf<UpdateProduct> | { readonly variantOf: string } | null> {
  // Locked before its variants are looked at, or one that is being added would keep the old title.
  const [product] = await tx<{ variantOf: string | null }[]>`
    select parent_id as "variantOf" from catalog.products where id = ${productId} for no key update`
  if (!product) return null
  const { variantOf } = product
  if (variantOf !== null && (title ?? description ?? taxClass) !== undefined) return { variantOf }
  const [changed] = await tx<OutputOf<UpdateProduct>[]>`
    with product as (
      update catalog.products
      set title = coalesce(${title ?? null}, title), description = coalesce(${description ?? null}, description),
        weight_g = coalesce(${weightG ?? null}, weight_g), tax_class = coalesce(${taxClass ?? null}, tax_class)
      where id = ${productId} returning *
    ), variants as (
      update catalog.products v
      set title = catalog.variant_title(product.title, v.options), tax_class = product.tax_class
      from product where v.parent_id = product.id
        and (v.title, v.tax_class) is distinct from (catalog.variant_title(product.title, v.options), product.tax_class)
    )
    select id as "productId", title, description, weight_g as "weightG", tax_class as "taxClass" from product`
  return changed ?? null
}

export interface PriceChange {
  readonly productId: string
  readonly priceMinor: number
  readonly currency: string
  readonly commandId: string
}

export interface PriceNow {
  readonly sku: string
  /** Another than was asked for: the price was left alone, for its variants have that currency. */
  readonly currency: string
  readonly isNew: boolean
}

/** What the price of the product is now, and whether it is another than before; null if there is no such product. */
export async function updatePrice(
  tx: Tx,
  { productId, priceMinor, currency, commandId }: PriceChange,
): Promise<PriceNow | null> {
  // The row is locked when the clock is read: prices follow each other in time as they do in version.
  const [changed] = await tx<Omit<PriceNow, 'isNew'>[]>`
    with changed as (
      update catalog.products p
      set price_minor = ${priceMinor}, currency = ${currency}, price_version = p.price_version + 1
      where p.id = ${productId} and (p.price_minor <> ${priceMinor} or p.currency <> ${currency})
        and (p.currency = ${currency} or p.parent_id is null and p.variants = 0)
      returning p.*
    ), price as (
      insert into catalog.prices (product_id, version, price_minor, currency, since, command_id)
      select id, price_version, price_minor, currency, clock_timestamp(), ${commandId} from changed
    )
    select sku, currency from changed`
  if (changed) return { ...changed, isNew: true }
  const [same] = await tx<
    Omit<PriceNow, 'isNew'>[]
  >`select sku, currency from catalog.products where id = ${productId}`
  return same ? { ...same, isNew: false } : null
}

/** The product of which it is a variant, whose categories were left alone; null if there is no such product. */
export async function updateCategories(
  tx: Tx,
  productId: string,
  categories: readonly string[],
): Promise<{ readonly variantOf: string | null } | null> {
  // Locked before the categories are looked at, or two that come together would leave those of both.
  const [product] = await tx<{ variantOf: string | null; storeId: string }[]>`
    select parent_id as "variantOf", store_id as "storeId" from catalog.products
    where id = ${productId} for no key update`
  if (!product || product.variantOf !== null) return product ?? null
  const names = [...categories]
  await tx`
    with gone as (
      delete from catalog.product_categories where product_id = ${productId} and category <> all(${names}::text[])
    )
    insert into catalog.product_categories (product_id, category, store_id)
    select ${productId}, unnest(${names}::text[]), ${product.storeId} on conflict do nothing`
  return product
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
