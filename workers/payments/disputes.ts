import { type Emitted, emit, type Tx } from '../../queues/outcome.ts'
import { disputeClosed, disputeOpened } from '../../queues/payment-events.ts'
import { postDecision, postDispute } from './books.ts'
import { isDecided } from './domain.ts'
import type { DisputeView } from './provider.ts'
import { lockState, moneyOf } from './state.ts'

/** A dispute as the provider sees it now, with what the bank did about the money. What is to be told. */
export async function noteDispute(
  tx: Tx,
  paymentId: string,
  view: DisputeView,
  { id: newId, at }: { readonly id: string; readonly at: Date },
): Promise<readonly Emitted[]> {
  const payment = await lockState(tx, paymentId)
  const { reference, amountMinor, status, reason } = view
  const [opened] = await tx<{ id: string }[]>`
    insert into payments.disputes (id, payment_id, reference, amount_minor, status, reason, opened_at)
    values (${newId}, ${paymentId}, ${reference}, ${amountMinor}, 'needs_response', ${reason}, ${at})
    on conflict (payment_id, reference) do nothing returning id`
  if (opened) await postDispute(tx, payment, opened.id, amountMinor)
  const [moved] = await tx<{ id: string; amountMinor: number }[]>`
    update payments.disputes set status = ${status}, closed_at = case when ${isDecided(status)} then ${at}::timestamptz end
    where payment_id = ${paymentId} and reference = ${reference} and closed_at is null
    returning id, amount_minor as "amountMinor"`
  if (!moved) return []
  await tx`
    update payments.payments p set dispute_status = (
      select d.status from payments.disputes d where d.payment_id = p.id
      order by array_position('{lost,needs_response,under_review,won}', d.status) limit 1)
    where p.id = ${paymentId}`
  const told = { ...moneyOf(payment, moved.amountMinor), disputeId: moved.id, reason: reason.slice(0, 300) }
  const news = opened ? [emit(disputeOpened, told)] : []
  if (!isDecided(status)) return news
  await postDecision(tx, payment, { ...moved, outcome: status })
  return [...news, emit(disputeClosed, { ...told, outcome: status })]
}
