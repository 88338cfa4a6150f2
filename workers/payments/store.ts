import type { Sql } from '../../db/client.ts'
import { oneStatement, oneStatementPerTransaction } from '../../queues/batch.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { AttemptState, Payment, Split } from '../../queues/payments.ts'
import type { Reader } from '../runtime/reader.ts'
import { type DisputeStatus, statusOf } from './domain.ts'
import type { ChargeAnswer } from './provider.ts'

export interface NewPayment {
  readonly id: string
  readonly orderId: string
  readonly attempt: number
  readonly customerId: string
  readonly amountMinor: number
  readonly currency: string
  readonly paymentMethod: string
  readonly capture: 'automatic' | 'manual'
  readonly provider: string
  readonly storeId: string | null
  readonly split: Split | null
  readonly createdAt: Date
}

export interface ChargeRow
  extends Pick<
    NewPayment,
    'id' | 'orderId' | 'attempt' | 'amountMinor' | 'currency' | 'paymentMethod' | 'capture' | 'provider'
  > {
  readonly reference: string | null
  readonly status: AttemptState
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
    const isNew = await insert(payment)
    return isNew
      ? { ...payment, reference: null, status: 'processing', inquiries: 0, isNew }
      : loadCharge(sql, payment)
  }
}

/** For each payment, whether it is new. */
async function insertPayments(sql: Sql, payments: readonly NewPayment[]): Promise<readonly boolean[]> {
  const rows = await sql<{ id: string }[]>`
    insert into payments.payments
      (id, order_id, attempt, customer_id, amount_minor, currency, payment_method, capture, provider, store_id, split,
       created_at)
    select id, "orderId", attempt, "customerId", "amountMinor", currency, "paymentMethod", capture, provider, "storeId",
           split, "createdAt"
    from jsonb_to_recordset(${sql.json(payments.map(toJson))})
      as payment(id uuid, "orderId" uuid, attempt smallint, "customerId" uuid, "amountMinor" bigint, currency text,
                 "paymentMethod" text, capture text, provider text, "storeId" uuid, split jsonb, "createdAt" timestamptz)
    order by "orderId", attempt
    on conflict do nothing returning id`
  const inserted = new Set(rows.map(row => row.id))
  return payments.map(({ id }) => inserted.has(id))
}

const toJson = ({ split, createdAt, ...payment }: NewPayment) => ({
  ...payment,
  split: split?.map(each => ({ ...each })) ?? null,
  createdAt: createdAt.toISOString(),
})

async function loadCharge(sql: Sql, { id, orderId, attempt }: NewPayment): Promise<ChargeRow> {
  const [row] = await sql<Omit<ChargeRow, 'isNew'>[]>`
    select id, order_id as "orderId", attempt, amount_minor as "amountMinor", currency,
      payment_method as "paymentMethod", capture, provider, reference, status, inquiries
    from payments.payments where order_id = ${orderId} and attempt = ${attempt}`
  if (!row) throw new Error(`payment ${id} is neither new nor known`)
  return { ...row, isNew: false }
}

export interface ChargeEnding {
  readonly paymentId: string
  readonly answer: Extract<ChargeAnswer, { readonly kind: 'captured' | 'authorized' | 'declined' }>
  /** When it is looked at again; null: never, unless the provider tells of it. */
  readonly reconcileAt: Date | null
}

/**
 * Settles charges and posts what was captured, one transfer for each whose it is. Answers false for a charge that was
 * settled before: then nothing changed.
 */
export const settleCharge = oneStatementPerTransaction(async (tx, charges: readonly ChargeEnding[]) => {
  const rows = await tx<{ id: string }[]>`
    with settled as (
      update payments.payments p
      set status = charge.status, decline_code = charge."declineCode", action_url = null,
          reference = coalesce(charge.reference, p.reference), capture_before = charge."captureBefore",
          reconcile_at = charge."reconcileAt",
          captured_minor = case charge.status when 'captured' then p.amount_minor else 0 end
      from jsonb_to_recordset(${tx.json(charges.map(toEnding))})
        as charge("paymentId" uuid, status text, reference text, "declineCode" text, "captureBefore" timestamptz,
                  "reconcileAt" timestamptz)
      where p.id = any(${charges.map(each => each.paymentId)}::uuid[]) and p.id = charge."paymentId"
        and p.status in ('processing', 'unknown', 'action_required')
      returning p.id, p.order_id, p.captured_minor, p.currency, p.provider, p.split, p.reference
    ), known as (
      insert into payments.charge_references (provider, reference, payment_id)
      select provider, reference, id from settled where reference is not null on conflict do nothing
    ), posted as (
      insert into payments.transfers
        (kind, source_id, part, payment_id, order_id, debit, credit, amount_minor, currency)
      select 'capture', s.id, part.at - 1, s.id, s.order_id, 'provider:' || s.provider, part.each ->> 'account',
             (part.each ->> 'amountMinor')::bigint, s.currency
      from settled s cross join lateral jsonb_array_elements(coalesce(s.split,
        jsonb_build_array(jsonb_build_object('account', 'sales', 'amountMinor', s.captured_minor))))
        with ordinality as part(each, at)
      where s.captured_minor > 0 and (part.each ->> 'amountMinor')::bigint > 0 on conflict do nothing
    )
    select id from settled`
  const settled = new Set(rows.map(row => row.id))
  return charges.map(({ paymentId }) => settled.has(paymentId))
})

const toEnding = ({ paymentId, answer, reconcileAt }: ChargeEnding) => ({
  paymentId,
  status: answer.kind,
  reference: answer.reference,
  declineCode: answer.kind === 'declined' ? answer.declineCode : null,
  captureBefore: answer.kind === 'authorized' ? answer.captureBefore.toISOString() : null,
  reconcileAt: reconcileAt?.toISOString() ?? null,
})

interface Undecided {
  readonly paymentId: string
  readonly provider: string
  readonly reference: string
  readonly reconcileAt: Date
}

/** The provider does not know yet itself. */
export async function markProcessing(tx: Tx, { paymentId, provider, reference, reconcileAt }: Undecided) {
  await tx`
    with known as (
      insert into payments.charge_references values (${provider}, ${reference}, ${paymentId}) on conflict do nothing
    )
    update payments.payments set status = 'processing', reference = ${reference}, reconcile_at = ${reconcileAt}
    where id = ${paymentId} and status in ('processing', 'unknown')`
}

/** The buyer has to confirm the charge at `url`. False if that was known, or the charge is settled. */
export async function markActionRequired(
  tx: Tx,
  { paymentId, provider, reference, url, reconcileAt }: Undecided & { readonly url: string },
): Promise<boolean> {
  const updated = await tx`
    with known as (
      insert into payments.charge_references values (${provider}, ${reference}, ${paymentId}) on conflict do nothing
    )
    update payments.payments set status = 'action_required', action_url = ${url}, reference = ${reference},
      reconcile_at = ${reconcileAt}
    where id = ${paymentId} and (status in ('processing', 'unknown') or status = 'action_required' and action_url <> ${url})`
  return updated.count > 0
}

/** What the provider says besides, and when it is asked again. */
export async function noteDifference(
  tx: Tx,
  paymentId: string,
  { said, reconcileAt }: { readonly said: Said | null; readonly reconcileAt: Date | null },
): Promise<void> {
  await tx`
    update payments.payments set provider_says = ${said === null ? null : tx.json({ ...said })}::jsonb,
      reconcile_at = ${reconcileAt} where id = ${paymentId}`
}
type Said = { readonly capturedMinor: number; readonly refundedMinor: number }

/** Answers false if the charge was settled before: then nothing changed. */
export async function markUnknown(tx: Tx, paymentId: string): Promise<boolean> {
  const updated = await tx`
    update payments.payments set inquiries = inquiries + 1,
      status = case status when 'processing' then 'unknown' else status end
    where id = ${paymentId} and status in ('processing', 'unknown', 'action_required')`
  return updated.count > 0
}

export interface PaymentFilter {
  readonly reader: Reader
  readonly orderId: string | null
  readonly cursor: string | null
  readonly limit: number
}

/** The payments that this reader may see, newest first, those older than the payment `cursor`. */
export async function listPayments(sql: Sql, filter: PaymentFilter): Promise<readonly Payment[]> {
  const { reader, orderId, cursor, limit } = filter
  const rows = await sql<PaymentRow[]>`
    select ${paymentColumns(sql)} from payments.payments
    where true ${theirs(sql, reader)}
      ${orderId === null ? sql`` : sql`and order_id = ${orderId}`}
      ${cursor === null ? sql`` : sql`and id < ${cursor}`}
    order by id desc limit ${limit}`
  return rows.map(toPayment)
}

export async function readPayment(sql: Sql, id: string, reader: Reader): Promise<Payment | null> {
  const [row] = await sql<PaymentRow[]>`
    select ${paymentColumns(sql)} from payments.payments where id = ${id} ${theirs(sql, reader)}`
  return row ? toPayment(row) : null
}

const theirs = (sql: Sql, { actorId, seesAll }: Reader) =>
  seesAll ? sql`` : sql`and customer_id = ${actorId}`

interface PaymentRow extends Omit<Payment, 'status' | 'createdAt' | 'captureBefore'> {
  readonly status: AttemptState
  readonly disputeStatus: DisputeStatus | null
  readonly captureBefore: Date | null
  readonly createdAt: Date
}

const paymentColumns = (sql: Sql) => sql`
  id, order_id as "orderId", amount_minor as "amountMinor", currency, status, captured_minor as "capturedMinor",
  refunded_minor as "refundedMinor", dispute_status as "disputeStatus", capture_before as "captureBefore",
  action_url as "actionUrl", decline_code as "declineCode", created_at as "createdAt"`

const toPayment = ({ disputeStatus, captureBefore, createdAt, ...row }: PaymentRow): Payment => ({
  ...row,
  status: statusOf({ ...row, disputeStatus }),
  captureBefore: captureBefore?.toISOString() ?? null,
  createdAt: createdAt.toISOString(),
})
