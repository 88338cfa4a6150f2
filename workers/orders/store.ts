import type { Sql } from '../../db/client.ts'
import { type OrderState, place as placeCommand } from '../../queues/orders.ts'
import type { Tx } from '../../queues/outcome.ts'
import { type Line, type Offer, sourcesOf } from './domain.ts'

/** Why an order moves, as its history tells it. */
export interface Note {
  /** The command that moves it. */
  readonly cause: string
  readonly actorId: string | null
  readonly traceparent: string
  readonly at: Date
}

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

type Lines = readonly { readonly sku: string; readonly quantity: number }[]

/** What the catalog offers for these lines now; nothing is reserved yet. */
export const readOffers = async (sql: Sql, lines: Lines): Promise<readonly Offer[]> => sql<Offer[]>`
  select ${offerColumns(sql)} from catalog.offer(${sql.json(lines)})`

export interface NewOrder {
  readonly id: string
  readonly customerId: string
  readonly totalMinor: number
  readonly currency: string
  readonly lines: readonly Line[]
  readonly expiresAt: Date
}

/**
 * Saves order, lines and first history row, and then reserves: the last thing that this transaction does is what
 * others wait for. Answers what was reserved; the order has its pieces if there was enough of each.
 * Answers nothing if the order is there already, from an earlier run.
 */
export const insertOrder = async (tx: Tx, order: NewOrder, note: Note): Promise<readonly Offer[]> => tx<
  Offer[]
>`
  with placed as (
    insert into orders.orders (id, customer_id, state, total_minor, currency, placed_at, expires_at)
    values (${order.id}, ${order.customerId}, 'pending_payment', ${order.totalMinor}, ${order.currency},
            ${note.at}, ${order.expiresAt})
    on conflict (id) do nothing returning id, state, version
  ), listed as (
    insert into orders.lines (order_id, sku, title, quantity, unit_price_minor, total_minor)
    select placed.id, line.sku, line.title, line.quantity, line."unitPriceMinor", line."totalMinor"
    from placed cross join jsonb_to_recordset(${tx.json(order.lines)})
      as line(sku text, title text, quantity bigint, "unitPriceMinor" bigint, "totalMinor" bigint)
  ), noted as (
    insert into orders.history (order_id, seq, to_state, cause, actor_id, traceparent, at)
    select id, version, state, ${note.cause}, ${note.actorId}, ${note.traceparent}, ${note.at} from placed
    returning order_id
  )
  select ${offerColumns(tx)} from noted cross join lateral catalog.reserve(noted.order_id, ${tx.json(
    order.lines.map(({ sku, quantity }) => ({ sku, quantity })),
  )})`

const offerColumns = (sql: Sql | Tx) => sql`
  sku, title, unit_price_minor as "unitPriceMinor", currency, requested, available, enough`

/** One step of an order. Zero rows moved: it is not there, not the owner's, or in a state that does not allow it. */
interface Step {
  readonly orderId: string
  readonly to: OrderState
  readonly note: Note
  /** Only an order of this customer. */
  readonly ownerId?: string
}

/** Paid in full: its pieces are sold. */
export const markPaid = (
  tx: Tx,
  step: Omit<Step, 'to'>,
  { paymentId, amountMinor, currency }: Payment,
): Promise<OrderRow | null> =>
  move(
    tx,
    { ...step, to: 'paid' },
    {
      changes: tx`, charging = false, payment_id = ${paymentId}, captured_minor = ${amountMinor}, refunded_minor = 0`,
      guard: tx`and total_minor = ${amountMinor} and currency = ${currency}`,
      stock: tx`catalog.commit(id)`,
    },
  )

/** The answer to the order's charge number `attempt` was no; an answer to an earlier one is of no concern. */
export const markPaymentFailed = (
  tx: Tx,
  step: Omit<Step, 'to'>,
  attempt: number,
): Promise<OrderRow | null> =>
  move(
    tx,
    { ...step, to: 'payment_failed' },
    {
      changes: tx`, charging = false`,
      guard: tx`and charges = ${attempt}`,
    },
  )

/** Another charge is asked for; the pieces stay reserved until `expiresAt` at least. */
export const markPendingPayment = (
  tx: Tx,
  step: Omit<Step, 'to'>,
  expiresAt: Date,
): Promise<OrderRow | null> =>
  move(
    tx,
    { ...step, to: 'pending_payment' },
    {
      changes: tx`, charging = true, charges = charges + 1, expires_at = greatest(expires_at, ${expiresAt})`,
    },
  )

/** Its pieces are free again, or back in stock if they were sold. */
export const markCancelled = (tx: Tx, step: Omit<Step, 'to'>): Promise<OrderRow | null> =>
  move(tx, { ...step, to: 'cancelled' }, { stock: tx`catalog.release(array[id])` })

type Fragment = ReturnType<Tx>
interface Effect {
  readonly changes?: Fragment
  readonly guard?: Fragment
  readonly stock?: Fragment
}

async function move(tx: Tx, step: Step, { changes, guard, stock }: Effect): Promise<OrderRow | null> {
  const { orderId, to, note, ownerId } = step
  const [row] = await tx<(OrderRow & { reservations: number | null })[]>`
    with moved as (
      update orders.orders
      set previous_state = state, state = ${to}, version = version + 1 ${changes ?? tx``}
      where id = ${orderId} and state = any(${sourcesOf(to) as OrderState[]})
        ${ownerId === undefined ? tx`` : tx`and customer_id = ${ownerId}`} ${guard ?? tx``}
      returning *
    ), noted as (${history(tx, note)})
    select ${columns(tx)}, ${stock ?? tx`null::integer`} as reservations from moved`
  if (!row) return null
  if (row.reservations === 0) throw new Error(`order ${orderId} became ${to} without its pieces`)
  return row
}

const history = (tx: Tx, { cause, actorId, traceparent, at }: Note) => tx`
  insert into orders.history (order_id, seq, from_state, to_state, cause, actor_id, traceparent, at)
  select id, version, previous_state, state, ${cause}, ${actorId}, ${traceparent}, ${at}::timestamptz from moved`

const columns = (tx: Tx) => tx`
  id, customer_id as "customerId", state, total_minor as "totalMinor", currency, charges, payment_id as "paymentId",
  captured_minor as "capturedMinor", refunded_minor as "refundedMinor"`

export async function loadOrder(tx: Tx, orderId: string): Promise<OrderRow | null> {
  const [row] = await tx<OrderRow[]>`select ${columns(tx)} from orders.orders where id = ${orderId}`
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

/**
 * Expires up to `limit` unpaid orders whose time is up and frees their pieces. An order whose charge has no answer yet
 * is extended to `extendedTo` instead. Orders that somebody else is working on are left for the next time.
 */
export const expireOverdue = async (
  tx: Tx,
  { limit, extendedTo, note }: { readonly limit: number; readonly extendedTo: Date; readonly note: Note },
): Promise<readonly OrderRow[]> => tx<OrderRow[]>`
  with due as materialized (
    select id, charging from orders.orders
    where state = any(${sourcesOf('expired') as OrderState[]}) and expires_at <= ${note.at}
    order by expires_at limit ${limit} for update skip locked
  ), extended as (
    update orders.orders o set expires_at = ${extendedTo} from due where o.id = due.id and due.charging
  ), moved as (
    update orders.orders o
    set previous_state = o.state, state = 'expired', version = o.version + 1
    from due where o.id = due.id and not due.charging
    returning o.*
  ), noted as (${history(tx, note)}),
  freed as (select catalog.release(array_agg(id)) as reservations from moved having count(*) > 0)
  select ${columns(tx)} from moved cross join freed`
