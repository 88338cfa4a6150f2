import type { JSONValue } from 'postgres'
import type { Sql } from '../../db/client.ts'
import { oneStatement, oneStatementPerTransaction } from '../../queues/batch.ts'
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
}

/**
 * Saves orders, lines and first history rows, and then reserves: the last thing that this statement does is what
 * others wait for. Answers what was reserved; an order has its pieces if there was enough of each.
 * Answers nothing for an order that is there already, from an earlier run.
 */
export const insertOrder = oneStatementPerTransaction(async (tx, orders: readonly NewOrder[]) => {
  const reserved = await tx<OfferRow[]>`
    with step as materialized (
      select * from jsonb_to_recordset(${tx.json(orders.map(toRow))}) as step(
        id uuid, customer_id uuid, total_minor bigint, currency text, expires_at timestamptz, lines jsonb, ${noteColumns(tx)})
    ), placed as (
      insert into orders.orders (id, customer_id, state, total_minor, currency, placed_at, expires_at)
      select id, customer_id, 'pending_payment', total_minor, currency, at, expires_at from step order by id
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

const toRow = ({ orderId, customerId, totalMinor, currency, lines, expiresAt, note }: NewOrder) => ({
  id: orderId,
  customer_id: customerId,
  total_minor: totalMinor,
  currency,
  expires_at: expiresAt.toISOString(),
  lines,
  ...toNoteRow(note),
})

/** One step of an order. Zero rows moved: it is not there, not the owner's, or in a state that does not allow it. */
export interface Step {
  readonly orderId: string
  readonly note: Note
  /** Only an order of this customer. */
  readonly ownerId?: string
}

/** Paid in full: its pieces are sold. */
export const markPaid = mover<{ readonly payment: Payment }>({
  to: 'paid',
  facts: ({ payment }) => ({
    payment_id: payment.paymentId,
    amount_minor: payment.amountMinor,
    currency: payment.currency,
  }),
  columns: tx => tx`payment_id uuid, amount_minor bigint, currency text`,
  changes: tx => tx`
    charging = false, payment_id = step.payment_id, captured_minor = step.amount_minor, refunded_minor = 0`,
  guard: tx => tx`o.total_minor = step.amount_minor and o.currency = step.currency`,
  stock: tx => tx`catalog.commit(id)`,
})

/** The answer to the order's charge number `attempt` was no; an answer to an earlier one is of no concern. */
export const markPaymentFailed = mover<{ readonly attempt: number }>({
  to: 'payment_failed',
  facts: ({ attempt }) => ({ attempt }),
  columns: tx => tx`attempt smallint`,
  changes: tx => tx`charging = false`,
  guard: tx => tx`o.charges = step.attempt`,
})

/** Another charge is asked for; the pieces stay reserved until `expiresAt` at least. */
export const markPendingPayment = mover<{ readonly expiresAt: Date }>({
  to: 'pending_payment',
  facts: ({ expiresAt }) => ({ expires_at: expiresAt.toISOString() }),
  columns: tx => tx`expires_at timestamptz`,
  changes: tx => tx`
    charging = true, charges = o.charges + 1, expires_at = greatest(o.expires_at, step.expires_at)`,
})

/** Its pieces are free again, or back in stock if they were sold. */
export const markCancelled = mover({ to: 'cancelled', stock: tx => tx`catalog.release(array[id])` })

type Fragment = ReturnType<Tx>

/** A transition of the state machine as it is written: `o` is the order, `step` what was asked. */
interface Transition<Facts> {
  readonly to: OrderState
  /** What the step brings with it, as columns of `step`. */
  readonly facts?: (step: Facts) => Record<string, JSONValue>
  readonly columns?: (tx: Tx) => Fragment
  readonly changes?: (tx: Tx) => Fragment
  readonly guard?: (tx: Tx) => Fragment
  /** What happens to the pieces: answers how many reservations it changed. */
  readonly stock?: (tx: Tx) => Fragment
}

/** Moves orders. Answers the moved order, or null where zero rows moved. */
function mover<Facts = unknown>({ to, facts, columns, changes, guard, stock }: Transition<Facts>) {
  return oneStatementPerTransaction(async (tx, steps: readonly (Step & Facts)[]) => {
    const rows = steps.map(step => ({
      id: step.orderId,
      owner_id: step.ownerId ?? null,
      ...toNoteRow(step.note),
      ...facts?.(step),
    }))
    const moves = await tx<(OrderRow & { reservations: number | null })[]>`
      with step as materialized (
        select * from jsonb_to_recordset(${tx.json(rows)}) as step(
          id uuid, owner_id uuid, ${noteColumns(tx)} ${columns ? tx`, ${columns(tx)}` : tx``})
      ), moved as (
        update orders.orders o
        set previous_state = o.state, state = ${to}, version = o.version + 1 ${changes ? tx`, ${changes(tx)}` : tx``}
        from step
        where o.id = any(${steps.map(step => step.orderId)}::uuid[]) and o.id = step.id
          and o.state = any(${sourcesOf(to) as OrderState[]})
          and (step.owner_id is null or o.customer_id = step.owner_id) ${guard ? tx`and ${guard(tx)}` : tx``}
        returning o.*
      ), noted as (${writeHistory(tx, 'moved')})
      select ${orderColumns(tx)}, ${stock?.(tx) ?? tx`null::integer`} as reservations from moved`
    const moved = new Map(moves.map(row => [row.id, row]))
    return steps.map(({ orderId }) => {
      const row = moved.get(orderId) ?? null
      if (row?.reservations === 0) throw new Error(`order ${orderId} became ${to} without its pieces`)
      return row
    })
  })
}

const toNoteRow = ({ cause, actorId, traceparent, at }: Note) => ({
  cause,
  actor_id: actorId,
  traceparent,
  at: at.toISOString(),
})
const noteColumns = (tx: Tx) => tx`cause text, actor_id text, traceparent text, at timestamptz`

/** A row of history for each order that moved, told by the note of its step. */
const writeHistory = (tx: Tx, moved: 'placed' | 'moved') => tx`
  insert into orders.history (order_id, seq, from_state, to_state, cause, actor_id, traceparent, at)
  select moved.id, moved.version, moved.previous_state, moved.state, step.cause, step.actor_id, step.traceparent, step.at
  from ${tx(moved)} moved join step on step.id = moved.id`

const orderColumns = (tx: Tx) => tx`
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

/**
 * Expires up to `limit` unpaid orders whose time is up and frees their pieces. An order whose charge has no answer yet
 * is extended to `extendedTo` instead. Orders that somebody else is working on are left for the next time.
 */
export const expireOverdue = async (
  tx: Tx,
  { limit, extendedTo, note }: { readonly limit: number; readonly extendedTo: Date; readonly note: Note },
): Promise<readonly OrderRow[]> => tx<OrderRow[]>`
  with step as materialized (
    select id, charging, ${note.cause} as cause, ${note.actorId} as actor_id, ${note.traceparent} as traceparent,
           ${note.at}::timestamptz as at
    from orders.orders
    where state = any(${sourcesOf('expired') as OrderState[]}) and expires_at <= ${note.at}
    order by expires_at limit ${limit} for update skip locked
  ), extended as (
    update orders.orders o set expires_at = ${extendedTo} from step where o.id = step.id and step.charging
  ), moved as (
    update orders.orders o
    set previous_state = o.state, state = 'expired', version = o.version + 1
    from step where o.id = step.id and not step.charging
    returning o.*
  ), noted as (${writeHistory(tx, 'moved')}),
  freed as (select catalog.release(array_agg(id)) as reservations from moved having count(*) > 0)
  select ${orderColumns(tx)} from moved cross join freed`
