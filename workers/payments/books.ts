import type { Transfer } from '../../queues/ledger.ts'
import type { Tx } from '../../queues/outcome.ts'
import {
  capturePostings,
  lossPostings,
  type Posted,
  type Posting,
  providerAccount,
  refundPostings,
  splitOf,
} from './posting.ts'
import type { PaymentRow } from './state.ts'

interface Source {
  readonly kind: Transfer['kind']
  readonly id: string
}

/** A capture of a payment that is locked. */
export const postCapture = async (tx: Tx, payment: PaymentRow, captureId: string, amountMinor: number) =>
  post(
    tx,
    payment,
    { kind: 'capture', id: captureId },
    capturePostings(await moneyOf(tx, payment), amountMinor),
  )

export const postRefund = async (tx: Tx, payment: PaymentRow, refundId: string, amountMinor: number) =>
  post(tx, payment, { kind: 'refund', id: refundId }, refundPostings(await moneyOf(tx, payment), amountMinor))

/** Nothing that was posted is changed: what did not happen after all is posted the other way round. */
export async function reverseRefund(tx: Tx, refundId: string): Promise<void> {
  await tx`
    insert into payments.transfers
      (kind, source_id, part, payment_id, order_id, debit, credit, amount_minor, currency)
    select 'refund_reversal', source_id, part, payment_id, order_id, credit, debit, amount_minor, currency
    from payments.transfers where kind = 'refund' and source_id = ${refundId} on conflict do nothing`
}

/** The bank took the money back for now. */
export const postDispute = (tx: Tx, payment: PaymentRow, disputeId: string, amountMinor: number) =>
  post(tx, payment, { kind: 'dispute', id: disputeId }, [
    { part: 0, debit: 'disputes', credit: providerAccount(payment.provider), amountMinor },
  ])

/** Won, the money is at the provider again; lost, it came out of the parts of the payment. */
export async function postDecision(
  tx: Tx,
  payment: PaymentRow,
  {
    id,
    amountMinor,
    outcome,
  }: { readonly id: string; readonly amountMinor: number; readonly outcome: 'won' | 'lost' },
): Promise<void> {
  if (outcome === 'lost')
    return post(
      tx,
      payment,
      { kind: 'dispute_lost', id },
      lossPostings(await moneyOf(tx, payment), amountMinor),
    )
  return post(tx, payment, { kind: 'dispute_won', id }, [
    { part: 0, debit: providerAccount(payment.provider), credit: 'disputes', amountMinor },
  ])
}

/** The split of a payment, and what was posted of it: the books are the memory of what is left of each part. */
async function moneyOf(tx: Tx, payment: PaymentRow) {
  const posted = await tx<Posted[]>`
    select t.part, t.kind, sum(t.amount_minor)::bigint as "amountMinor" from payments.transfers t
    where t.kind = any('{capture,refund,refund_reversal,dispute_lost}'::payments.transfer_kind[]) and t.source_id in (
      select ${payment.id}::uuid union all select id from payments.captures where payment_id = ${payment.id}
      union all select id from payments.refunds where payment_id = ${payment.id}
      union all select id from payments.disputes where payment_id = ${payment.id})
    group by t.part, t.kind`
  return { provider: payment.provider, split: splitOf(payment.split, payment.amountMinor), posted }
}

async function post(
  tx: Tx,
  { id: paymentId, orderId, currency }: PaymentRow,
  { kind, id }: Source,
  postings: readonly Posting[],
): Promise<void> {
  await tx`
    insert into payments.transfers
      (kind, source_id, part, payment_id, order_id, debit, credit, amount_minor, currency)
    select ${kind}::text::payments.transfer_kind, ${id}::uuid, part, ${paymentId}::uuid, ${orderId}::uuid, debit, credit,
           "amountMinor", ${currency}::text
    from jsonb_to_recordset(${tx.json(postings.map(each => ({ ...each })))})
      as posting(part smallint, debit text, credit text, "amountMinor" bigint)
    on conflict do nothing`
}
