import type { Sql } from '../../db/client.ts'
import { oneStatement } from '../../queues/batch.ts'
import type { Tx } from '../../queues/outcome.ts'
import { lineColumns, linesJson, sumColumns } from './columns.ts'
import type { Quote } from './quote.ts'

export interface NewQuote extends Omit<Quote, 'orderId'> {
  readonly quotedAt: Date
}

/** Keeps the quote with its lines. Answers it as it is kept: as it was made by an earlier run, if there was one. */
export async function insertQuote(tx: Tx, quote: NewQuote): Promise<Quote> {
  const { id, customerId, lines, taxes, shipping, expiresAt } = quote
  const kept = await tx`
    with quote as (
      insert into orders.quotes (
        id, customer_id, store_id, currency, goods_minor, discount_minor, shipping_minor, tax_minor, total_minor,
        prices_include_tax, taxes, shipping, discount_code, price_version, quoted_at, expires_at)
      values (
        ${id}, ${customerId}, ${quote.storeId}, ${quote.currency}, ${quote.goodsMinor}, ${quote.discountMinor},
        ${quote.shippingMinor}, ${quote.taxMinor}, ${quote.totalMinor}, ${quote.pricesIncludeTax}, ${tx.json(taxes)},
        ${shipping && tx.json(shipping)}, ${quote.discountCode}, ${quote.priceVersion}, ${quote.quotedAt}, ${expiresAt})
      on conflict (id) do nothing returning id
    )
    insert into orders.quote_lines (quote_id, sku, title, quantity, unit_price_minor, total_minor, discount_minor,
      tax_minor, tax_rate_ppm, expires_at)
    select quote.id, line.sku, line.title, line.quantity, line."unitPriceMinor", line."totalMinor",
      line."discountMinor", line."taxMinor", line."taxRatePpm", ${expiresAt}
    from quote cross join jsonb_to_recordset(${tx.json(lines)}) as line(${lineColumns(tx)})`
  if (kept.count > 0) return { ...quote, orderId: null }
  const earlier = await loadQuote(tx, id)
  if (!earlier) throw new Error(`quote ${id} was neither kept nor there`)
  return earlier
}

/** The quote of that id, whosever it is. */
export type ReadQuote = (id: string) => Promise<Quote | null>

export const createReadQuote = (sql: Sql): ReadQuote =>
  oneStatement(async ids => {
    const found = new Map((await selectQuotes(sql, ids)).map(quote => [quote.id, quote]))
    return ids.map(id => found.get(id) ?? null)
  })

export async function loadQuote(tx: Tx, id: string): Promise<Quote | null> {
  const [quote] = await selectQuotes(tx, [id])
  return quote ?? null
}

const selectQuotes = (sql: Sql | Tx, ids: readonly string[]) => sql<Quote[]>`
  select id, customer_id as "customerId", ${sumColumns(sql)}, taxes, shipping, price_version as "priceVersion",
    expires_at as "expiresAt", order_id as "orderId",
    (select ${linesJson(sql)} from orders.quote_lines where quote_id = id) as lines
  from orders.quotes where id = any(${ids as string[]}::uuid[])`

/** Locks the quotes that no order has used, in one order, lest two batches with the same ones wait for each other. */
export const lockQuotes = (tx: Tx, ids: readonly string[]) => tx`
  free as materialized (
    select id from orders.quotes
    where id = any(${ids as string[]}::uuid[]) and order_id is null order by id for update
  )`

/** Gives each free quote to the step that wants it, one of them if there are several. */
export const useQuotes = (tx: Tx, ids: readonly string[], unless: ReturnType<Tx>) => tx`
  used as (
    update orders.quotes quote set order_id = step.id from free join step on step.quote_id = free.id
    where quote.id = any(${ids as string[]}::uuid[]) and quote.id = free.id and quote.order_id is null ${unless}
    returning quote.order_id
  )`

/**
 * Marks up to `limit` lines that were quoted at another price than the product has now, whatever the event that tells
 * of it said: events may be worked in any order. Lines that somebody else is marking are left to them.
 */
export async function markStale(
  tx: Tx,
  {
    sku,
    at,
    id,
    limit,
  }: { readonly sku: string; readonly at: Date; readonly id: string; readonly limit: number },
): Promise<number> {
  const asked = [{ orderId: id, lines: [{ sku, quantity: 1 }] }]
  const marked = await tx`
    with price as materialized (
      select unit_price_minor, currency from catalog.offer(${tx.json(asked)})
    ), outdated as (
      select line.quote_id from price, orders.quote_lines line join orders.quotes quote on quote.id = line.quote_id
      where line.sku = ${sku} and not line.stale and line.expires_at > ${at}
        and (line.unit_price_minor, quote.currency) is distinct from (price.unit_price_minor, price.currency)
      order by line.expires_at limit ${limit} for update of line skip locked
    )
    update orders.quote_lines line set stale = true from outdated
    where line.quote_id = outdated.quote_id and line.sku = ${sku}`
  return marked.count
}
