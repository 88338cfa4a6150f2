import type { Sql } from '../../db/client.ts'
import { type Emitted, emit, type Tx } from '../../queues/outcome.ts'
import { refunded, refundFailed } from '../../queues/payment-events.ts'
import { postRefund, reverseRefund } from './books.ts'
import type { RefundView } from './provider.ts'
import { lockState, moneyOf, type PaymentRow } from './state.ts'

export interface NewRefund {
  readonly id: string
  readonly paymentId: string
  readonly requestId: string
  readonly amountMinor: number
  readonly reason: string
  readonly createdAt: Date
}

export interface RefundRow {
  readonly id: string
  readonly paymentId: string
  readonly amountMinor: number
  readonly status: 'pending' | 'succeeded' | 'failed'
  /** The provider's own id of it; known: it was accepted there. */
  readonly reference: string | null
  readonly inquiries: number
  /** False if an earlier run, or an earlier command for the same refund, may have called the provider. */
  readonly isNew: boolean
}

/** Sets the amount aside, durably, before the provider hears of it. Null if the payment has not that much left, or is disputed. */
export async function reserveRefund(sql: Sql, refund: NewRefund): Promise<RefundRow | null> {
  const { id, paymentId, requestId, amountMinor, reason, createdAt } = refund
  const [row] = await sql<RefundRow[]>`
    with room as (
      update payments.payments set refund_pending_minor = refund_pending_minor + ${amountMinor}
      where id = ${paymentId} and refunded_minor + refund_pending_minor + ${amountMinor} <= captured_minor
        and coalesce(dispute_status, 'won') = 'won'
        and not exists (select from payments.refunds where payment_id = ${paymentId} and request_id = ${requestId})
      returning id
    )
    insert into payments.refunds (id, payment_id, request_id, amount_minor, reason, created_at)
    select ${id}::uuid, room.id, ${requestId}::uuid, ${amountMinor}::bigint, ${reason}, ${createdAt}::timestamptz from room
    returning ${refundColumns(sql)}, true as "isNew"`
  return row ?? null
}

export async function findRefund(sql: Sql, paymentId: string, requestId: string): Promise<RefundRow | null> {
  const [row] = await sql<RefundRow[]>`
    select ${refundColumns(sql)}, false as "isNew" from payments.refunds
    where payment_id = ${paymentId} and request_id = ${requestId}`
  return row ?? null
}

const refundColumns = (sql: Sql) => sql`
  id, payment_id as "paymentId", amount_minor as "amountMinor", status, reference, inquiries`

export async function markRefundUnknown(tx: Tx, refundId: string): Promise<void> {
  await tx`update payments.refunds set inquiries = inquiries + 1 where id = ${refundId} and status = 'pending'`
}

/** The provider has accepted it, and looks how it ends; until `reconcileAt` it should tell by itself. */
export async function markRefundAccepted(
  tx: Tx,
  {
    id,
    paymentId,
    reference,
    reconcileAt,
  }: { id: string; paymentId: string; reference: string; reconcileAt: Date },
): Promise<void> {
  await lockState(tx, paymentId)
  await tx`update payments.refunds set reference = ${reference} where id = ${id} and status = 'pending'`
  await tx`update payments.payments set reconcile_at = ${reconcileAt} where id = ${paymentId}`
}

/** What was set aside has gone back, and is posted. What is to be told; nothing if it was settled before. */
export async function settleRefund(
  tx: Tx,
  paymentId: string,
  { id, reference }: { readonly id: string; readonly reference: string | null },
): Promise<readonly Emitted[]> {
  const payment = await lockState(tx, paymentId)
  const [refund] = await tx<{ amountMinor: number; requestId: string }[]>`
    update payments.refunds set status = 'succeeded', reference = coalesce(${reference}, reference)
    where id = ${id} and status = 'pending' returning amount_minor as "amountMinor", request_id as "requestId"`
  if (!refund) return []
  const { amountMinor, requestId } = refund
  const sums = await count(tx, paymentId, { refundedMinor: amountMinor, pendingMinor: -amountMinor })
  await postRefund(tx, payment, id, amountMinor)
  return [emit(refunded, { ...moneyOf(payment, amountMinor), refundId: id, ...sums, requestId })]
}

/** It did not reach the customer: what was set aside is free, what was posted is reversed. */
export async function failRefund(
  tx: Tx,
  paymentId: string,
  { id, reason }: { readonly id: string; readonly reason: string },
): Promise<readonly Emitted[]> {
  const payment = await lockState(tx, paymentId)
  const [refund] = await tx<{ amountMinor: number; requestId: string; wasPending: boolean }[]>`
    update payments.refunds r set status = 'failed' from payments.refunds before
    where r.id = ${id} and before.id = r.id and r.status <> 'failed'
    returning r.amount_minor as "amountMinor", r.request_id as "requestId", before.status = 'pending' as "wasPending"`
  if (!refund) return []
  const { amountMinor, requestId, wasPending } = refund
  const backMinor = wasPending ? 0 : amountMinor
  const sums = await count(tx, paymentId, {
    refundedMinor: -backMinor,
    pendingMinor: backMinor - amountMinor,
  })
  await reverseRefund(tx, id)
  const money = moneyOf(payment, amountMinor)
  return [emit(refundFailed, { ...money, refundId: id, ...sums, requestId, reason: reason.slice(0, 300) })]
}

/** Counts what ended, and which change of it this is: events are not always worked in their order. */
async function count(
  tx: Tx,
  paymentId: string,
  by: { readonly refundedMinor: number; readonly pendingMinor: number },
) {
  const [sums] = await tx<[{ refundedMinor: number; change: number }]>`
    update payments.payments set refunded_minor = refunded_minor + ${by.refundedMinor}::bigint,
      refund_pending_minor = refund_pending_minor + ${by.pendingMinor}::bigint, refund_changes = refund_changes + 1
    where id = ${paymentId} returning refunded_minor as "refundedMinor", refund_changes as change`
  return sums
}

/** Made by somebody else, such as a person at the provider's own console: it is a refund all the same. */
export async function noteForeignRefund(
  tx: Tx,
  payment: PaymentRow,
  refund: RefundView,
  { id, at }: { readonly id: string; readonly at: Date },
): Promise<readonly Emitted[]> {
  await tx`
    with room as (
      update payments.payments set refund_pending_minor = refund_pending_minor + ${refund.amountMinor}
      where id = ${payment.id} and refunded_minor + refund_pending_minor + ${refund.amountMinor} <= captured_minor
      returning id
    )
    insert into payments.refunds (id, payment_id, request_id, amount_minor, reason, reference, created_at)
    select ${id}::uuid, room.id, ${id}::uuid, ${refund.amountMinor}::bigint, 'made at the provider',
           ${refund.reference}::text, ${at}::timestamptz from room`
  return settleRefund(tx, payment.id, { id, reference: refund.reference })
}
