import type { Tx } from '../../queues/outcome.ts'
import { type OrderRow, orderColumns } from './store.ts'

/** Notes captured money that the order can no longer take; it counts as the order's until it has gone back. */
export async function noteLateCapture(
  tx: Tx,
  orderId: string,
  { paymentId, capturedMinor }: { readonly paymentId: string; readonly capturedMinor: number },
): Promise<void> {
  await tx`
    update orders.orders
    set charging = false, action = null,
        captured_minor = case when coalesce(payment_id, ${paymentId}) = ${paymentId} then ${capturedMinor}::bigint
                              else captured_minor end,
        payment_id = coalesce(payment_id, ${paymentId})
    where id = ${orderId}`
}

/** Notes money that was set aside for an order that can no longer take it. */
export async function noteLateAuthorization(
  tx: Tx,
  orderId: string,
  { paymentId, amountMinor }: { readonly paymentId: string; readonly amountMinor: number },
): Promise<void> {
  await tx`
    update orders.orders
    set charging = false, action = null,
        authorized_minor = case when payment_id is null then ${amountMinor}::bigint else authorized_minor end,
        payment_id = coalesce(payment_id, ${paymentId})
    where id = ${orderId}`
}

/** Counts what was set aside as captured, so far. Null: that much was known, or the order has ended. */
export async function noteCapture(
  tx: Tx,
  orderId: string,
  { paymentId, capturedMinor }: { readonly paymentId: string; readonly capturedMinor: number },
): Promise<OrderRow | null> {
  const [row] = await tx<OrderRow[]>`
    update orders.orders set captured_minor = ${capturedMinor}
    where id = ${orderId} and payment_id = ${paymentId} and captured_minor < ${capturedMinor}
      and state not in ('cancelled', 'expired')
    returning ${orderColumns(tx)}`
  return row ?? null
}

/** The buyer has to confirm the charge: shown, and the pieces kept until `keptUntil` at least. Null: nothing changed. */
export async function noteAction(
  tx: Tx,
  {
    orderId,
    attempt,
    paymentId,
    url,
    keptUntil,
  }: {
    readonly orderId: string
    readonly attempt: number
    readonly paymentId: string
    readonly url: string
    readonly keptUntil: Date
  },
): Promise<OrderRow | null> {
  const [row] = await tx<OrderRow[]>`
    update orders.orders
    set charging = false, action = ${tx.json({ paymentId, url })}, expires_at = greatest(expires_at, ${keptUntil})
    where id = ${orderId} and state = 'pending_payment' and charges = ${attempt} and action is null
    returning ${orderColumns(tx)}`
  return row ?? null
}

/** What was set aside under this payment is let go, unless some of it is captured; another payment's is of no concern. */
export async function noteVoid(tx: Tx, orderId: string, paymentId: string): Promise<void> {
  await tx`
    update orders.orders
    set authorized_minor = case when payment_id = ${paymentId} and captured_minor = 0 then 0 else authorized_minor end,
        action = case when action ->> 'paymentId' = ${paymentId} then null else action end
    where id = ${orderId}`
}

/**
 * Notes how much of the order's payment has gone back, after a refund or without one that failed; another payment's is of
 * no concern, and neither is what is older than what was noted last.
 */
export async function noteRefund(
  tx: Tx,
  refund: {
    readonly orderId: string
    readonly paymentId: string
    readonly refundId: string
    readonly refundedMinor: number
    readonly change?: number
  },
  what: 'refunded' | 'failed',
): Promise<void> {
  const { orderId, paymentId, refundedMinor, change } = refund
  if (change === undefined) return noteUncounted(tx, refund, what)
  await tx`
    update orders.orders set refunded_minor = ${refundedMinor}, refund_changes = ${change}
    where id = ${orderId} and payment_id = ${paymentId} and refund_changes < ${change}`
}

/** As releases told it that did not count: in most orders of two such events this is right. */
async function noteUncounted(tx: Tx, refund: Parameters<typeof noteRefund>[1], what: 'refunded' | 'failed') {
  const { orderId, paymentId, refundId, refundedMinor } = refund
  await tx`
    update orders.orders
    set refunded_minor = case when ${what === 'failed'} then least(refunded_minor, ${refundedMinor}::bigint)
                              else greatest(refunded_minor, ${refundedMinor}::bigint) end
    where id = ${orderId} and payment_id = ${paymentId} and refund_changes = 0
      and (${what === 'failed'}
           or not exists (select from orders.cases where kind = 'refund_failed' and cause = ${refundId}))`
}

/** Keeps with its case how a dispute ended. */
export async function noteOutcome(tx: Tx, disputeId: string, outcome: 'won' | 'lost'): Promise<void> {
  await tx`
    update orders.cases set detail = detail || jsonb_build_object('outcome', ${outcome}::text)
    where kind = 'dispute' and cause = ${disputeId}`
}

/** The order's money is disputed unless all disputes about it were won, as their cases say. */
export async function noteDisputes(
  tx: Tx,
  { orderId, paymentId }: { readonly orderId: string; readonly paymentId: string },
): Promise<void> {
  await tx`select from orders.orders where id = ${orderId} for no key update` // the cases are counted after the lock
  await tx`
    update orders.orders set disputed = exists (
      select from orders.cases c where c.order_id = ${orderId} and c.payment_id = ${paymentId} and c.kind = 'dispute'
        and c.detail ->> 'outcome' is distinct from 'won')
    where id = ${orderId} and payment_id = ${paymentId}`
}
