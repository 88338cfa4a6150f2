import type { Sql } from '../../db/client.ts'
import type { Tx } from '../../queues/outcome.ts'

/** A line in JSON, as columns. */
export const lineColumns = (tx: Tx) => tx`
  sku text, title text, quantity bigint, "unitPriceMinor" bigint, "totalMinor" bigint, "discountMinor" bigint,
  "taxMinor" bigint, "taxRatePpm" integer`

/** The lines of an order or a quote in JSON, in the order of SKUs. */
export const linesJson = (sql: Sql | Tx) => sql`
  jsonb_agg(jsonb_build_object('sku', sku, 'title', title, 'quantity', quantity, 'unitPriceMinor', unit_price_minor,
    'totalMinor', total_minor, 'discountMinor', discount_minor, 'taxMinor', tax_minor, 'taxRatePpm', tax_rate_ppm)
    order by sku)`

/** The sums of an order or a quote. */
export const sumColumns = (sql: Sql | Tx) => sql`
  store_id as "storeId", coalesce(goods_minor, total_minor) as "goodsMinor", discount_minor as "discountMinor",
  shipping_minor as "shippingMinor", tax_minor as "taxMinor", total_minor as "totalMinor", currency,
  prices_include_tax as "pricesIncludeTax", discount_code as "discountCode"`
