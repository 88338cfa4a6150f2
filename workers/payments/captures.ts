import type { Sql } from '../../db/client.ts'
import type { PayloadOf } from '../../queues/command.ts'
import { type Emitted, emit, type Tx } from '../../queues/outcome.ts'
import { authorized, captured, voided } from '../../queues/payment-events.ts'
import { postCapture } from './books.ts'
import { lockState, moneyOf, type PaymentRow } from './state.ts'

export interface NewCapture {
  readonly id: string
  readonly paymentId: string
  readonly requestId: string
  readonly amountMinor: number
  /** Null: final if nothing is left. */
  readonly isFinal: boolean | null
  readonly createdAt: Date
}

export interface CaptureRow {
  readonly id: string
  readonly paymentId: string
  readonly amountMinor: number
  readonly isFinal: boolean
  readonly status: 'pending' | 'succeeded' | 'failed'
  readonly inquiries: number
  /** False if an earlier run, or an earlier command for the same capture, may have called the provider. */
  readonly isNew: boolean
}

/**
 * Counts the amount, durably, before the provider hears of it. Null if the payment has not that much left, or is about
 * to end. A final one waits until nothing else is on its way.
 */
export async function reserveCapture(sql: Sql, capture: NewCapture): Promise<CaptureRow | null> {
  const { id, paymentId, requestId, amountMinor, isFinal, createdAt } = capture
  const [row] = await sql<CaptureRow[]>`
    with room as (
      update payments.payments p set capture_pending_minor = p.capture_pending_minor + ${amountMinor},
        ending = case when ${isFinal ?? false}
            or p.capture_pending_minor = 0 and p.captured_minor + ${amountMinor} = p.amount_minor then 'capture' end
      where p.id = ${paymentId} and p.status in ('authorized', 'partially_captured') and p.ending is null
        and p.captured_minor + p.capture_pending_minor + ${amountMinor} <= p.amount_minor
        and (p.capture_pending_minor = 0 or not ${isFinal ?? false})
        and not exists (select from payments.captures where payment_id = ${paymentId} and request_id = ${requestId})
      returning p.id, p.ending
    )
    insert into payments.captures (id, payment_id, request_id, amount_minor, is_final, created_at)
    select ${id}::uuid, room.id, ${requestId}::uuid, ${amountMinor}::bigint, room.ending is not null, ${createdAt}::timestamptz
    from room returning ${captureColumns(sql)}, true as "isNew"`
  return row ?? null
}

export async function findCapture(
  sql: Sql,
  paymentId: string,
  requestId: string,
): Promise<CaptureRow | null> {
  const [row] = await sql<CaptureRow[]>`
    select ${captureColumns(sql)}, false as "isNew" from payments.captures
    where payment_id = ${paymentId} and request_id = ${requestId}`
  return row ?? null
}

const captureColumns = (sql: Sql) => sql`
  id, payment_id as "paymentId", amount_minor as "amountMinor", is_final as "isFinal", status, inquiries`

export async function markCaptureUnknown(tx: Tx, captureId: string): Promise<void> {
  await tx`update payments.captures set inquiries = inquiries + 1 where id = ${captureId} and status = 'pending'`
}

/** The provider has taken it. What is to be told; nothing if it was settled before. */
export async function settleCapture(
  tx: Tx,
  paymentId: string,
  captureId: string,
): Promise<readonly Emitted[]> {
  const payment = await lockState(tx, paymentId)
  const [capture] = await tx<{ amountMinor: number; requestId: string; isFinal: boolean }[]>`
    update payments.captures set status = 'succeeded' where id = ${captureId} and status = 'pending'
    returning amount_minor as "amountMinor", request_id as "requestId", is_final as "isFinal"`
  if (!capture) return []
  const { amountMinor, requestId, isFinal } = capture
  const isLast = isFinal || payment.capturedMinor + amountMinor === payment.amountMinor
  await tx`
    update payments.payments p set captured_minor = p.captured_minor + ${amountMinor}::bigint,
      capture_pending_minor = p.capture_pending_minor - ${amountMinor}::bigint,
      ending = case when ${isLast} then null else p.ending end,
      status = case when ${isLast} then 'captured' else 'partially_captured' end,
      capture_before = case when ${isLast} then null else p.capture_before end,
      reconcile_at = case when ${isLast} and p.refund_pending_minor = 0 then null else p.reconcile_at end
    where id = ${paymentId}`
  await postCapture(tx, payment, captureId, amountMinor)
  const capturedMinor = payment.capturedMinor + amountMinor
  return [emit(captured, { ...moneyOf(payment, amountMinor), capturedMinor, requestId })]
}

/** Taken by somebody else: it is a capture like ours, that nobody asked for here. */
export async function noteForeignCapture(
  tx: Tx,
  payment: PaymentRow,
  { id, amountMinor, at }: { readonly id: string; readonly amountMinor: number; readonly at: Date },
): Promise<readonly Emitted[]> {
  await tx`
    with room as (
      update payments.payments p set capture_pending_minor = p.capture_pending_minor + ${amountMinor}
      where p.id = ${payment.id} and p.status in ('authorized', 'partially_captured')
        and p.captured_minor + p.capture_pending_minor + ${amountMinor} <= p.amount_minor returning p.id
    )
    insert into payments.captures (id, payment_id, request_id, amount_minor, is_final, created_at)
    select ${id}::uuid, room.id, ${id}::uuid, ${amountMinor}::bigint, false, ${at}::timestamptz from room`
  return settleCapture(tx, payment.id, id)
}

/** It did not happen and will not: the amount can be captured otherwise. */
export async function failCapture(tx: Tx, paymentId: string, captureId: string): Promise<void> {
  await lockState(tx, paymentId)
  await tx`
    with failed as (
      update payments.captures set status = 'failed' where id = ${captureId} and status = 'pending'
      returning amount_minor, is_final
    )
    update payments.payments p set capture_pending_minor = p.capture_pending_minor - failed.amount_minor,
      ending = case when failed.is_final then null else p.ending end
    from failed where p.id = ${paymentId}`
}

/** The provider has let go of what was not captured, for `reason` unless one of ours asked for it. */
export async function release(tx: Tx, paymentId: string, reason: string): Promise<readonly Emitted[]> {
  const payment = await lockState(tx, paymentId)
  const [ended] = await tx<{ status: string }[]>`
    update payments.payments set ending = null, capture_before = null,
      reconcile_at = case when refund_pending_minor > 0 then reconcile_at end,
      status = case when captured_minor > 0 then 'captured' else 'voided' end
    where id = ${paymentId} and status in ('authorized', 'partially_captured') and capture_pending_minor = 0
    returning status`
  if (!ended) return []
  const [asked] = await tx<{ requestId: string; reason: string }[]>`
    update payments.voids set status = case when ${ended.status === 'voided'} then 'succeeded' else 'failed' end
    where payment_id = ${paymentId} and status = 'pending' returning request_id as "requestId", reason`
  if (ended.status !== 'voided') return []
  const money = moneyOf(payment, payment.amountMinor)
  return [emit(voided, { ...money, attempt: payment.attempt, ...(asked ?? { reason }) })]
}

export const authorizedNews = (
  money: Omit<PayloadOf<typeof authorized>, 'captureBefore'>,
  captureBefore: Date,
): Emitted => emit(authorized, { ...money, captureBefore: captureBefore.toISOString() })
