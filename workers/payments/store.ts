import type { Sql } from '../../db/client.ts'
import { oneStatement, oneStatementPerTransaction } from '../../queues/batch.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { Payment } from '../../queues/payments.ts'
import { postings, type StoredStatus, statusOf } from './domain.ts'
import type { ChargeAnswer } from './provider.ts'

export interface NewPayment {
  readonly id: string
  readonly orderId: string
  readonly attempt: number
  readonly customerId: string
  readonly amountMinor: number
  readonly currency: string
  readonly paymentMethod: string
  readonly createdAt: Date
}

export interface ChargeRow {
  readonly id: string
  readonly amountMinor: number
  readonly currency: string
  readonly paymentMethod: string
  readonly status: StoredStatus
  /** Calls that the provider did not answer. */
  readonly inquiries: number
  /** False if an earlier run, or an earlier command for the same charge, may have called the provider. */
  readonly isNew: boolean
}

/** Makes the row of a charge if it is not there: durable before the provider hears of it. */
export type OpenPayment = (payment: NewPayment) => Promise<ChargeRow>

/** Payments that are opened at about the same time share one insert. */
export function createOpenPayment(sql: Sql): OpenPayment {
  const insert = oneStatement((payments: readonly NewPayment[]) => insertPayments(sql, payments))
  return async payment => {
    const { id, amountMinor, currency, paymentMethod } = payment
    const isNew = await insert(payment)
    if (isNew) return { id, amountMinor, currency, paymentMethod, status: 'processing', inquiries: 0, isNew }
    return loadCharge(sql, payment)
  }
}

/** For each payment, whether it is new. */
async function insertPayments(sql: Sql, payments: readonly NewPayment[]): Promise<readonly boolean[]> {
  const rows = await sql<{ id: string }[]>`
    insert into payments.payments
      (id, order_id, attempt, customer_id, amount_minor, currency, payment_method, created_at)
    select id, "orderId", attempt, "customerId", "amountMinor", currency, "paymentMethod", "createdAt"
    from jsonb_to_recordset(${sql.json(payments.map(toJson))})
      as payment(id uuid, "orderId" uuid, attempt smallint, "customerId" uuid, "amountMinor" bigint, currency text,
                 "paymentMethod" text, "createdAt" timestamptz)
    order by "orderId", attempt
    on conflict do nothing returning id`
  const inserted = new Set(rows.map(row => row.id))
  return payments.map(({ id }) => inserted.has(id))
}

const toJson = (payment: NewPayment) => ({ ...payment, createdAt: payment.createdAt.toISOString() })

async function loadCharge(sql: Sql, { id, orderId, attempt }: NewPayment): Promise<ChargeRow> {
  const [row] = await sql<Omit<ChargeRow, 'isNew'>[]>`
    select id, amount_minor as "amountMinor", currency, payment_method as "paymentMethod", status, inquiries
    from payments.payments where order_id = ${orderId} and attempt = ${attempt}`
  if (!row) throw new Error(`payment ${id} is neither new nor known`)
  return { ...row, isNew: false }
}

export type ChargeEnding = Extract<ChargeAnswer, { readonly kind: 'captured' | 'declined' }>

/** Settles charges and posts what was captured. Answers false for a charge that was settled before: then nothing changed. */
export const settleCharge = oneStatementPerTransaction(
  async (tx, charges: readonly { readonly paymentId: string; readonly answer: ChargeEnding }[]) => {
    const rows = await tx<{ id: string }[]>`
      with settled as (
        update payments.payments p
        set status = charge.status, decline_code = charge."declineCode",
            captured_minor = case charge.status when 'captured' then p.amount_minor else 0 end
        from jsonb_to_recordset(${tx.json(charges.map(toEnding))})
          as charge("paymentId" uuid, status text, "declineCode" text)
        where p.id = any(${charges.map(each => each.paymentId)}::uuid[]) and p.id = charge."paymentId"
          and p.status in ('processing', 'unknown')
        returning p.id, p.order_id, p.captured_minor, p.currency
      ), posted as (
        insert into payments.transfers
          (kind, source_id, payment_id, order_id, debit, credit, amount_minor, currency)
        select 'capture', id, id, order_id, ${postings.capture.debit}, ${postings.capture.credit}, captured_minor, currency
        from settled where captured_minor > 0 on conflict do nothing
      )
      select id from settled`
    const settled = new Set(rows.map(row => row.id))
    return charges.map(({ paymentId }) => settled.has(paymentId))
  },
)

const toEnding = ({ paymentId, answer }: { paymentId: string; answer: ChargeEnding }) => ({
  paymentId,
  status: answer.kind,
  declineCode: answer.kind === 'declined' ? answer.declineCode : null,
})

/** Answers false if the charge was settled before: then nothing changed. */
export async function markUnknown(tx: Tx, paymentId: string): Promise<boolean> {
  const updated = await tx`
    update payments.payments set status = 'unknown', inquiries = inquiries + 1
    where id = ${paymentId} and status in ('processing', 'unknown')`
  return updated.count > 0
}

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
  readonly currency: string
  readonly status: 'pending' | 'succeeded'
  readonly inquiries: number
  /** False if an earlier run, or an earlier command for the same refund, may have called the provider. */
  readonly isNew: boolean
}

/** Sets the amount aside, durably, before the provider hears of it. Null if the payment has not that much left. */
export async function reserveRefund(sql: Sql, refund: NewRefund): Promise<RefundRow | null> {
  const { id, paymentId, requestId, amountMinor, reason, createdAt } = refund
  const [row] = await sql<RefundRow[]>`
    with room as (
      update payments.payments set refund_pending_minor = refund_pending_minor + ${amountMinor}
      where id = ${paymentId} and refunded_minor + refund_pending_minor + ${amountMinor} <= captured_minor
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
  id, payment_id as "paymentId", amount_minor as "amountMinor", status, inquiries,
  (select currency from payments.payments p where p.id = payment_id) as currency`

export async function paymentExists(sql: Sql, paymentId: string): Promise<boolean> {
  const rows = await sql`select from payments.payments where id = ${paymentId}`
  return rows.count > 0
}

export async function markRefundUnknown(tx: Tx, refundId: string): Promise<void> {
  await tx`update payments.refunds set inquiries = inquiries + 1 where id = ${refundId} and status = 'pending'`
}

export interface RefundedPayment {
  readonly orderId: string
  readonly currency: string
  readonly refundedMinor: number
}

/** What was set aside has gone back, and is posted. Null if it was settled before: then nothing changed. */
export async function markRefunded(tx: Tx, refundId: string): Promise<RefundedPayment | null> {
  const [row] = await tx<RefundedPayment[]>`
    with settled as (
      update payments.refunds set status = 'succeeded' where id = ${refundId} and status = 'pending'
      returning id, payment_id, amount_minor
    ), counted as (
      update payments.payments p
      set refunded_minor = p.refunded_minor + settled.amount_minor,
          refund_pending_minor = p.refund_pending_minor - settled.amount_minor
      from settled where p.id = settled.payment_id
      returning settled.id, p.id as payment_id, p.order_id, settled.amount_minor, p.currency, p.refunded_minor
    ), posted as (
      insert into payments.transfers
        (kind, source_id, payment_id, order_id, debit, credit, amount_minor, currency)
      select 'refund', id, payment_id, order_id, ${postings.refund.debit}, ${postings.refund.credit}, amount_minor, currency
      from counted on conflict do nothing
    )
    select order_id as "orderId", currency, refunded_minor as "refundedMinor" from counted`
  return row ?? null
}

export interface PaymentFilter {
  readonly customerId: string
  readonly orderId: string | null
  readonly cursor: string | null
  readonly limit: number
}

/** The customer's payments, newest first, those older than the payment `cursor`. */
export async function listPayments(sql: Sql, filter: PaymentFilter): Promise<readonly Payment[]> {
  const { customerId, orderId, cursor, limit } = filter
  const rows = await sql<PaymentRow[]>`
    select ${paymentColumns(sql)} from payments.payments
    where customer_id = ${customerId}
      ${orderId === null ? sql`` : sql`and order_id = ${orderId}`}
      ${cursor === null ? sql`` : sql`and id < ${cursor}`}
    order by id desc limit ${limit}`
  return rows.map(toPayment)
}

export async function readPayment(sql: Sql, customerId: string, id: string): Promise<Payment | null> {
  const [row] = await sql<PaymentRow[]>`
    select ${paymentColumns(sql)} from payments.payments where id = ${id} and customer_id = ${customerId}`
  return row ? toPayment(row) : null
}

interface PaymentRow {
  readonly id: string
  readonly orderId: string
  readonly amountMinor: number
  readonly currency: string
  readonly status: StoredStatus
  readonly capturedMinor: number
  readonly refundedMinor: number
  readonly declineCode: string | null
  readonly createdAt: Date
}

const paymentColumns = (sql: Sql) => sql`
  id, order_id as "orderId", amount_minor as "amountMinor", currency, status, captured_minor as "capturedMinor",
  refunded_minor as "refundedMinor", decline_code as "declineCode", created_at as "createdAt"`

const toPayment = ({ capturedMinor, createdAt, ...row }: PaymentRow): Payment => ({
  ...row,
  status: statusOf({ ...row, capturedMinor }),
  createdAt: createdAt.toISOString(),
})
