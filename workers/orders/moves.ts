import type { JSONValue } from 'postgres'
import { oneStatementPerTransaction } from '../../queues/batch.ts'
import type { OrderState } from '../../queues/order-states.ts'
import type { Tx } from '../../queues/outcome.ts'
import { freeHeld } from './discounts.ts'
import { cancellable, type Received, rejectable, sourcesOf } from './domain.ts'
import { type Note, noteColumns, toNoteRow, writeHistory } from './history.ts'
import { type OrderRow, orderColumns } from './store.ts'

/** One step of an order. Zero rows moved: it is not there, not the owner's, or in a state that does not allow it. */
export interface Step {
  readonly orderId: string
  readonly note: Note
  /** Only an order of this customer. */
  readonly ownerId?: string
}

/** Paid in full, or its money set aside: its pieces are sold, and a kitchen has so long to accept it. */
export const markPaid = mover<{ readonly payment: Received; readonly authorized?: boolean }>({
  to: 'paid',
  facts: ({ payment, authorized = false }) => ({
    payment_id: payment.paymentId,
    amount_minor: payment.amountMinor,
    currency: payment.currency,
    authorized,
  }),
  columns: tx => tx`payment_id uuid, amount_minor bigint, currency text, authorized boolean`,
  changes: tx => tx`
    charging = false, action = null, payment_id = step.payment_id, refunded_minor = 0, refund_changes = 0,
    captured_minor = case when step.authorized then 0 else step.amount_minor end,
    authorized_minor = case when step.authorized then step.amount_minor else 0 end,
    accept_by = step.at + o.accept_within_ms * interval '1 millisecond'`,
  guard: tx => tx`o.total_minor = step.amount_minor and o.currency = step.currency`,
  before: tx => tx`sold as materialized (select * from catalog.commit(array(select id from moved)))`,
  stock: tx => tx`(select sold.lines from sold where sold.order_id = moved.id)`,
})

/** The answer to the order's charge number `attempt` was no; an answer to an earlier one is of no concern. */
export const markPaymentFailed = mover<{ readonly attempt: number }>({
  to: 'payment_failed',
  facts: ({ attempt }) => ({ attempt }),
  columns: tx => tx`attempt smallint`,
  changes: tx => tx`charging = false, action = null`,
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
export const markCancelled = mover({
  to: 'cancelled',
  from: cancellable,
  stock: tx => freeHeld(tx, tx`array[id]`),
})

/** The same, of an order that is paid or being fulfilled, as long as nothing was handed over. */
export const markRejected = mover({
  to: 'cancelled',
  from: rejectable,
  guard: tx => tx`not o.handed_over`,
  stock: tx => freeHeld(tx, tx`array[id]`),
})

/** The first pieces of it are to be sent. */
export const markShipping = mover({ to: 'fulfilling', guard: tx => tx`o.accept_within_ms is null` })

/** Its kitchen takes it, in time. */
export const markAccepted = mover({
  to: 'fulfilling',
  guard: tx => tx`o.accept_within_ms is not null and o.accept_by > step.at`,
})

/** All its pieces are with the customer. */
export const markCompleted = mover({
  to: 'completed',
  from: ['fulfilling'],
  changes: tx => tx`completed_at = step.at`,
  guard: tx => tx`
    not exists (select from orders.lines l where l.order_id = o.id and l.shipped < l.quantity)
    and not exists (
      select from orders.shipments s where s.order_id = o.id and s.state in ('awaiting_money', 'handed_over'))`,
})

/** Some of its pieces are to come back: only of one that was completed after `since`. */
export const markReturnRequested = mover<{ readonly since: Date }>({
  to: 'return_requested',
  facts: ({ since }) => ({ since: since.toISOString() }),
  columns: tx => tx`since timestamptz`,
  guard: tx => tx`o.completed_at > step.since`,
})

/** Its return was decided, and it may be asked for another one. */
export const markReturnOver = mover({ to: 'completed', from: ['return_requested'] })

/** All its pieces came back. */
export const markReturned = mover({ to: 'returned' })

type Fragment = ReturnType<Tx>

/** A transition of the state machine as it is written: `o` is the order, `step` what was asked. */
interface Transition<Facts> {
  readonly to: OrderState
  /** The states it may come from; all that lead there, unless said. */
  readonly from?: readonly OrderState[]
  /** What the step brings with it, as columns of `step`. */
  readonly facts?: (step: Facts) => Record<string, JSONValue>
  readonly columns?: (tx: Tx) => Fragment
  readonly changes?: (tx: Tx) => Fragment
  readonly guard?: (tx: Tx) => Fragment
  /** What is done for all of them at once, as one more table for `stock`. */
  readonly before?: (tx: Tx) => Fragment
  /** What happens to the pieces: answers how many reservations it changed. */
  readonly stock?: (tx: Tx) => Fragment
}

/** Moves orders. Answers the moved order, or null where zero rows moved. */
function mover<Facts = unknown>({
  to,
  from = sourcesOf(to),
  facts,
  columns,
  changes,
  guard,
  before,
  stock,
}: Transition<Facts>) {
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
          and o.state = any(${from as OrderState[]})
          and (step.owner_id is null or o.customer_id = step.owner_id) ${guard ? tx`and ${guard(tx)}` : tx``}
        returning o.*
      ), noted as (${writeHistory(tx, 'moved')}) ${before ? tx`, ${before(tx)}` : tx``}
      select ${orderColumns(tx)}, ${stock?.(tx) ?? tx`null::integer`} as reservations from moved`
    const moved = new Map(moves.map(row => [row.id, row]))
    return steps.map(({ orderId }) => {
      const row = moved.get(orderId) ?? null
      if (row && stock && !row.reservations)
        throw new Error(`order ${orderId} became ${to} without its pieces`)
      return row
    })
  })
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
  freed as (select ${freeHeld(tx, tx`array_agg(id)`)} as reservations from moved having count(*) > 0)
  select ${orderColumns(tx)} from moved cross join freed`
