import { type Rejected, rejected, type Tx } from '../../queues/outcome.ts'

export interface NewVariant {
  readonly id: string
  readonly productId: string
  readonly sku: string
  readonly options: Readonly<Record<string, string>>
  readonly priceMinor: number
  readonly onHand: number
  readonly weightG?: number
  readonly createdAt: Date
}

type Refusal =
  | Rejected<'product_not_found'>
  | Rejected<'sku_taken'>
  | Rejected<'variant_exists'>
  | Rejected<'is_variant'>
  | Rejected<'too_many_variants'>

const variantsMax = 100

/** Null if the variant is there under this id, now or since an earlier run; otherwise why not. */
export async function insertVariant(tx: Tx, variant: NewVariant): Promise<Refusal | null> {
  const { id, productId, sku, options, priceMinor, onHand, weightG = null, createdAt } = variant
  // The row of the product is written, not only locked: whoever waits for it looks at its number of variants again.
  const inserted = await tx`
    with parent as (
      update catalog.products p set variants = p.variants + 1
      where p.id = ${productId} and p.parent_id is null and p.variants < ${variantsMax}
        and not exists (select from catalog.products known where known.id = ${id})
      returning p.*
    ), variant as (
      insert into catalog.products
        (id, sku, title, price_minor, currency, created_at, store_id, weight_g, tax_class, parent_id, options)
      select ${id}, ${sku}, catalog.variant_title(title, ${tx.json(options)}), ${priceMinor}, currency, ${createdAt},
        store_id, coalesce(${weightG}, weight_g), tax_class, id, ${tx.json(options)}
      from parent on conflict do nothing returning *
    ), price as (
      insert into catalog.prices (product_id, version, price_minor, currency, since, command_id)
      select id, price_version, price_minor, currency, created_at, id from variant
    )
    insert into catalog.stock (sku, on_hand) select sku, ${onHand}::bigint from variant`
  return inserted.count > 0 ? null : await refuse(tx, variant)
}

/** Looks for the reason once the other is there who came first. */
async function refuse(tx: Tx, { id, productId, options }: NewVariant): Promise<Refusal | null> {
  const [found] = await tx<
    { known: boolean; variantOf: string | null; same: string | null; full: boolean }[]
  >`
    select exists (select from catalog.products where id = ${id}) as known, p.parent_id as "variantOf",
      (select v.id from catalog.products v where v.parent_id = p.id and v.options = ${tx.json(options)}) as same,
      p.variants >= ${variantsMax} as full
    from catalog.products p where p.id = ${productId}`
  if (!found) return rejected('product_not_found')
  const { known, variantOf, same, full } = found
  if (known) return null
  if (variantOf !== null) return rejected('is_variant', { productId: variantOf })
  if (same !== null) return rejected('variant_exists', { variantId: same })
  return full ? rejected('too_many_variants') : rejected('sku_taken')
}
