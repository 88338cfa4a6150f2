import type { Sql } from '../../db/client.ts'
import { oneStatement, oneStatementPerTransaction } from '../../queues/batch.ts'
import { type OrderState, place as placeCommand } from '../../queues/orders.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { Line, Offer } from './domain.ts'
import { type Note, noteColumns, toNoteRow, writeHistory } from './history.ts'
import { useQuotes } from './quotes.ts'

export interface OrderRow {
  readonly id: string
  readonly customerId: string
  readonly state: OrderState
  readonly totalMinor: number
  readonly currency: string
  /** Charges asked for so far. */
  readonly charges: number
  readonly paymentId: string | null
  readonly capturedMinor: number
  readonly refundedMinor: number
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

interface OfferRow extends Offer {
  readonly orderId: string
}

const offerColumns = (sql: Sql | Tx) => sql`
  order_id as "orderId", sku, title, unit_price_minor as "unitPriceMinor", currency, requested, available, enough`

const toBasket = ({ orderId, lines }: Basket) => ({
  orderId,
  lines: lines.map(({ sku, quantity }) => ({ sku, quantity })),
})

function offersOf(baskets: readonly Basket[], offers: readonly OfferRow[]): (readonly Offer[])[] {
  const perOrder = Map.groupBy(offers, offer => offer.orderId)
  return baskets.map(({ orderId }) => perOrder.get(orderId) ?? [])
}

export interface NewOrder {
  readonly orderId: string
  readonly customerId: string
  readonly totalMinor: number
  readonly currency: string
  readonly lines: readonly Line[]
  readonly expiresAt: Date
  readonly note: Note
  /** The quote that it uses; an order whose quote another order has used is not saved. */
  readonly quoteId: string | null
}

/**
 * Saves orders, lines and first history rows, and then reserves: the last thing that this statement does is what
 * others wait for. Answers what was reserved; an order has its pieces if there was enough of each.
 * Answers nothing for an order that is there already, from an earlier run, and for one whose quote is used.
 */
export const insertOrder = oneStatementPerTransaction(async (tx, orders: readonly NewOrder[]) => {
  const quoteIds = orders.flatMap(({ quoteId }) => quoteId ?? [])
  const ifQuoted = (part: () => ReturnType<Tx>) => (quoteIds.length > 0 ? part() : tx``)
  const reserved = await tx<OfferRow[]>`
    with step as materialized (
      select * from jsonb_to_recordset(${tx.json(orders.map(toRow))}) as step(
        id uuid, customer_id uuid, total_minor bigint, currency text, expires_at timestamptz, lines jsonb, quote_id uuid, ${noteColumns(tx)})
    ), ${ifQuoted(() => tx`${useQuotes(tx, quoteIds)}, `)}placed as (
      insert into orders.orders (id, customer_id, state, total_minor, currency, placed_at, expires_at)
      select id, customer_id, 'pending_payment', total_minor, currency, at, expires_at from step
      ${ifQuoted(() => tx`where quote_id is null or id in (select order_id from used)`)} order by id
      on conflict (id) do nothing returning id, previous_state, state, version
    ), listed as (
      insert into orders.lines (order_id, sku, title, quantity, unit_price_minor, total_minor)
      select placed.id, line.sku, line.title, line.quantity, line."unitPriceMinor", line."totalMinor"
      from placed join step on step.id = placed.id cross join lateral jsonb_to_recordset(step.lines)
        as line(sku text, title text, quantity bigint, "unitPriceMinor" bigint, "totalMinor" bigint)
    ), noted as (${writeHistory(tx, 'placed')} returning order_id)
    select ${offerColumns(tx)} from catalog.reserve((
      select jsonb_agg(jsonb_build_object('orderId', step.id, 'lines', step.lines))
      from noted join step on step.id = noted.order_id))`
  return offersOf(orders, reserved)
})

const toRow = ({ orderId, customerId, totalMinor, currency, lines, expiresAt, note, quoteId }: NewOrder) => ({
  id: orderId,
  customer_id: customerId,
  total_minor: totalMinor,
  currency,
  expires_at: expiresAt.toISOString(),
  lines,
  ...(quoteId !== null && { quote_id: quoteId }),
  ...toNoteRow(note),
})

export const orderColumns = (tx: Tx) => tx`
  id, customer_id as "customerId", state, total_minor as "totalMinor", currency, charges, payment_id as "paymentId",
  captured_minor as "capturedMinor", refunded_minor as "refundedMinor"`

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

export interface Payment {
  readonly paymentId: string
  readonly amountMinor: number
  readonly currency: string
}

/** Notes money that the order can no longer take; it counts as the order's until it has gone back. */
export async function noteLatePayment(tx: Tx, orderId: string, payment: Payment): Promise<void> {
  await tx`
    update orders.orders
    set charging = false,
        captured_minor = case when payment_id is null then ${payment.amountMinor}::bigint else captured_minor end,
        payment_id = coalesce(payment_id, ${payment.paymentId})
    where id = ${orderId}`
}

/** The charge of an order that no longer waits for it was declined. */
export async function noteLateDecline(tx: Tx, orderId: string, attempt: number): Promise<void> {
  await tx`update orders.orders set charging = false where id = ${orderId} and charges = ${attempt}`
}

/** Notes how much of the order's payment has gone back so far; another payment's refund is of no concern. */
export async function noteRefund(
  tx: Tx,
  refund: { readonly orderId: string; readonly paymentId: string; readonly refundedMinor: number },
): Promise<void> {
  await tx`
    update orders.orders set refunded_minor = greatest(refunded_minor, ${refund.refundedMinor})
    where id = ${refund.orderId} and payment_id = ${refund.paymentId}`
}
