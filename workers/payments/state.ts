import type { Sql } from '../../db/client.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { Split } from '../../queues/payments.ts'
import type { DisputeStatus, PaymentState } from './domain.ts'
import { chargeKeyOf } from './domain.ts'
import type { ChargeRef } from './provider.ts'

export interface PaymentRow extends PaymentState {
  readonly orderId: string
  readonly attempt: number
  readonly currency: string
  readonly provider: string
  readonly reference: string | null
  readonly split: Split | null
  readonly capturePendingMinor: number
  readonly refundPendingMinor: number
  readonly disputeStatus: DisputeStatus | null
  readonly captureBefore: Date | null
  readonly ending: 'capture' | 'void' | null
  readonly createdAt: Date
}

/** A payment with all that was ever done about it; null if there is none. */
export const readState = (sql: Sql, id: string): Promise<PaymentRow | null> => select(sql, id)

/** The same, of which nothing changes until the transaction ends. Whoever changes a payment locks it first. */
export async function lockState(tx: Tx, id: string): Promise<PaymentRow> {
  await tx`select from payments.payments where id = ${id} for update` // what is read next is of after the lock
  const state = await select(tx, id)
  if (!state) throw new Error(`there is no payment ${id}`)
  return state
}

async function select(sql: Sql | Tx, id: string): Promise<PaymentRow | null> {
  const [row] = await sql<PaymentRow[]>`
    select id, order_id as "orderId", attempt, amount_minor as "amountMinor", currency, status, provider, reference,
      split, captured_minor as "capturedMinor", capture_pending_minor as "capturePendingMinor",
      refunded_minor as "refundedMinor", refund_pending_minor as "refundPendingMinor",
      dispute_status as "disputeStatus", capture_before as "captureBefore", ending,
      created_at as "createdAt",
      (select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'amountMinor', c.amount_minor, 'status', c.status,
         'inquiries', c.inquiries) order by c.id), '[]') from payments.captures c where c.payment_id = p.id) as captures,
      (select coalesce(jsonb_agg(jsonb_build_object('id', v.id, 'status', v.status, 'inquiries', v.inquiries)
         order by v.id), '[]') from payments.voids v where v.payment_id = p.id) as voids,
      (select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'amountMinor', r.amount_minor, 'status', r.status,
         'inquiries', r.inquiries, 'reference', r.reference) order by r.id), '[]')
       from payments.refunds r where r.payment_id = p.id) as refunds,
      (select coalesce(jsonb_agg(jsonb_build_object('reference', d.reference, 'status', d.status) order by d.id), '[]')
       from payments.disputes d where d.payment_id = p.id) as disputes
    from payments.payments p where id = ${id}`
  return row ?? null
}

export const chargeRefOf = ({ id, reference }: Pick<PaymentRow, 'id' | 'reference'>): ChargeRef => ({
  key: chargeKeyOf(id),
  reference,
})

/** What an event about it says. */
export const moneyOf = ({ id, orderId, currency }: PaymentRow, amountMinor: number) => ({
  paymentId: id,
  orderId,
  amountMinor,
  currency,
})
