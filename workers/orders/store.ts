import { LRUCache } from 'lru-cache'
import type { Sql } from '../../db/client.ts'
import { oneStatement, oneStatementPerTransaction } from '../../queues/batch.ts'
import type { OrderState, PaymentState } from '../../queues/order-states.ts'
import { place as placeCommand } from '../../queues/orders.ts'
import type { Tx } from '../../queues/outcome.ts'
import { lineColumns } from './columns.ts'
import { countUses, takeUses } from './discounts.ts'
import type { Offer, Priced } from './domain.ts'
import { type Note, noteColumns, toNoteRow, writeHistory } from './history.ts'
import { lockQuotes, useQuotes } from './quotes.ts'

export interface OrderRow {
  readonly id: string
  readonly customerId: string
  readonly state: OrderState
  readonly totalMinor: number
  readonly currency: string
  /** Charges asked for so far. */
  readonly charges: number
  readonly paymentId: string | null
  readonly authorizedMinor: number
  readonly capturedMinor: number
  readonly refundedMinor: number
  readonly paymentStatus: PaymentState
  /** The payment that waits for the buyer to confirm it at the bank. */
  readonly actionPaymentId: string | null
  /** Null for an order that is shipped; else a kitchen accepts it. */
  readonly acceptWithinMs: number | null
  readonly acceptBy: Date | null
  /** Pieces were given to the carrier or the kitchen. */
  readonly handedOver: boolean
  readonly completedAt: Date | null
}

/** The lines of one order, before or after they are priced. */
export interface Basket {
  readonly orderId: string
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
}

/** What the catalog offers for these lines now; nothing is reserved yet. */
export type ReadOffers = (basket: Basket) => Promise<readonly Offer[]>

export const createReadOffers = (sql: Sql): ReadOffers =>
  oneStatement(async baskets => {
    const offers = await sql<OfferRow[]>`
      select ${offerColumns(sql)} from catalog.offer(${sql.json(baskets.map(toBasket))})`
    return offersOf(baskets, offers)
  })

interface OfferRow extends Omit<Offer, 'store'> {
  readonly orderId: string
  readonly store: string | null
}

const offerColumns = (sql: Sql | Tx) => sql`
  order_id as "orderId", sku, title, unit_price_minor as "unitPriceMinor", currency, requested, available, enough,
  store_id as "storeId", tax_class as "taxClass", store::text`

const toBasket = ({ orderId, lines }: Basket) => ({
  orderId,
  lines: lines.map(({ sku, quantity }) => ({ sku, quantity })),
})

function offersOf(baskets: readonly Basket[], rows: readonly OfferRow[]): (readonly Offer[])[] {
  const offers = rows.map(row => ({ ...row, store: row.store === null ? null : storeOf(row.store) }))
  const perOrder = Map.groupBy(offers, offer => offer.orderId)
  return baskets.map(({ orderId }) => perOrder.get(orderId) ?? [])
}

const stores = new LRUCache<string, NonNullable<Offer['store']>>({ max: 1_000 })
/** Orders are of a few stores, and each line of them brings its store along: equal terms are read once, and are the same. */
function storeOf(terms: string): NonNullable<Offer['store']> {
  const known = stores.get(terms) ?? JSON.parse(terms)
  stores.set(terms, known)
  return known
}

type Fragment = ReturnType<Tx>

export interface NewOrder extends Priced {
  readonly orderId: string
  readonly customerId: string
  readonly expiresAt: Date
  readonly note: Note
  /** The quote that it uses; an order whose quote another order has used is not saved. */
  readonly quoteId: string | null
}

/**
 * Saves orders, lines and first history rows, and then reserves: the last thing that this statement does is what
 * others wait for. Answers what was reserved; an order has its pieces if there was enough of each.
 * Answers nothing for an order that is there already, from an earlier run, and for one whose quote is used or whose
 * discount is used up.
 */
export const insertOrder = oneStatementPerTransaction(async (tx, orders: readonly NewOrder[]) => {
  const quoteIds = orders.flatMap(({ quoteId }) => quoteId ?? [])
  const ifQuoted = (part: () => Fragment): Fragment => (quoteIds.length > 0 ? part() : tx``)
  const isDiscounted = orders.some(({ discount }) => discount !== null)
  const ifDiscounted = (part: () => Fragment): Fragment => (isDiscounted ? part() : tx``)
  const unlessTaken = ifQuoted(() => tx`and (quote_id is null or quote_id in (select id from free))`)
  const unlessUsedUp = ifDiscounted(
    () => tx`and (discount_id is null or step.id in (select order_id from granted))`,
  )
  const unlessUsed = ifQuoted(() => tx`and (quote_id is null or step.id in (select order_id from used))`)
  const reserved = await tx<OfferRow[]>`
    with step as materialized (
      select * from jsonb_to_recordset(${tx.json(orders.map(toRow))}) as step(
        id uuid, customer_id uuid, store_id uuid, currency text, goods_minor bigint, discount_minor bigint,
        shipping_minor bigint, tax_minor bigint, total_minor bigint, prices_include_tax boolean, capture text,
        accept_within_ms integer, split jsonb, taxes jsonb, shipping jsonb, discount_code text, discount_id uuid,
        expires_at timestamptz, lines jsonb, quote_id uuid, ${noteColumns(tx)})
    ), ${ifQuoted(() => tx`${lockQuotes(tx, quoteIds)}, `)}
    ${ifDiscounted(() => tx`${takeUses(tx, unlessTaken)}, `)}
    ${ifQuoted(() => tx`${useQuotes(tx, quoteIds, unlessUsedUp)}, `)}
    placed as (
      insert into orders.orders (id, customer_id, state, store_id, currency, goods_minor, discount_minor,
        shipping_minor, tax_minor, total_minor, prices_include_tax, capture, accept_within_ms, split, taxes, shipping,
        discount_code, placed_at, expires_at)
      select id, customer_id, 'pending_payment', store_id, currency, goods_minor, discount_minor, shipping_minor,
        tax_minor, total_minor, prices_include_tax, capture, accept_within_ms, split, taxes, shipping, discount_code,
        at, expires_at
      from step where true ${unlessUsedUp} ${unlessUsed}
      order by id on conflict (id) do nothing returning id, previous_state, state, version
    ), ${ifDiscounted(() => tx`${countUses(tx)}, `)}listed as (
      insert into orders.lines (order_id, sku, title, quantity, unit_price_minor, total_minor, discount_minor,
        tax_minor, tax_rate_ppm)
      select placed.id, line.sku, line.title, line.quantity, line."unitPriceMinor", line."totalMinor",
        line."discountMinor", line."taxMinor", line."taxRatePpm"
      from placed join step on step.id = placed.id cross join lateral jsonb_to_recordset(step.lines)
        as line(${lineColumns(tx)})
    ), noted as (${writeHistory(tx, 'placed')} returning order_id)
    select ${offerColumns(tx)} from catalog.reserve((
      select jsonb_agg(jsonb_build_object('orderId', step.id, 'lines', step.lines))
      from noted join step on step.id = noted.order_id))`
  return offersOf(orders, reserved)
})

const toRow = (order: NewOrder) => ({
  id: order.orderId,
  customer_id: order.customerId,
  store_id: order.storeId,
  currency: order.currency,
  goods_minor: order.goodsMinor,
  discount_minor: order.discountMinor,
  shipping_minor: order.shippingMinor,
  tax_minor: order.taxMinor,
  total_minor: order.totalMinor,
  prices_include_tax: order.pricesIncludeTax,
  capture: order.capture,
  accept_within_ms: order.acceptWithinMs,
  split: order.split,
  taxes: order.taxes,
  lines: order.lines,
  expires_at: order.expiresAt.toISOString(),
  ...(order.shipping !== null && { shipping: order.shipping }),
  ...(order.discount !== null && { discount_code: order.discount.code, discount_id: order.discount.id }),
  ...(order.quoteId !== null && { quote_id: order.quoteId }),
  ...toNoteRow(order.note),
})

/** How an order is charged, whichever charge of it it is. */
export interface ChargeTerms {
  readonly storeId: string
  readonly capture: Priced['capture']
  /** Null for an order from before there were stores. */
  readonly split: Priced['split'] | null
}

export async function loadChargeTerms(tx: Tx, orderId: string): Promise<ChargeTerms> {
  const [row] = await tx<[ChargeTerms]>`
    select store_id as "storeId", capture, split from orders.orders where id = ${orderId}`
  return row
}

export const orderColumns = (tx: Tx) => tx`
  id, customer_id as "customerId", state, total_minor as "totalMinor", currency, charges, payment_id as "paymentId",
  authorized_minor as "authorizedMinor", captured_minor as "capturedMinor", refunded_minor as "refundedMinor",
  payment_status as "paymentStatus",
  action ->> 'paymentId' as "actionPaymentId", accept_within_ms as "acceptWithinMs", accept_by as "acceptBy",
  handed_over as "handedOver", completed_at as "completedAt"`

export async function loadOrder(tx: Tx, orderId: string): Promise<OrderRow | null> {
  const [row] = await tx<OrderRow[]>`select ${orderColumns(tx)} from orders.orders where id = ${orderId}`
  return row ?? null
}

/** True while this customer's order is asked for and not placed yet, nor refused. */
export async function isBeingPlaced(tx: Tx, orderId: string, customerId: string): Promise<boolean> {
  const [row] = await tx<{ isOpen: boolean }[]>`
    select journal.is_open(${orderId}, ${placeCommand.name}, ${customerId}) as "isOpen"`
  return row?.isOpen === true
}

/** The charge of an order that no longer waits for it was declined. */
export async function noteLateDecline(tx: Tx, orderId: string, attempt: number): Promise<void> {
  await tx`update orders.orders set charging = false where id = ${orderId} and charges = ${attempt}`
}
