import type Stripe from 'stripe'
import type { ChargeAnswer, ChargeView, DisputeView, RefundAnswer, RefundView } from '../provider.ts'
import { fromStripe } from './stripe-amounts.ts'

/** Where our keys are kept: in the metadata of what they made. */
export const chargeKeyName = 'waybill_charge'
export const captureKeyName = 'waybill_capture'
export const refundKeyName = 'waybill_refund'

/** The shortest time that a card network gives, if Stripe does not say: 4 days and 18 hours. */
const captureWindowS = (4 * 24 + 18) * 3_600

/** How a payment intent stands, which was confirmed when it was made. */
export function toChargeAnswer(intent: Stripe.PaymentIntent): ChargeAnswer {
  const reference = intent.id
  switch (intent.status) {
    case 'succeeded':
      return { kind: 'captured', reference }
    case 'requires_capture':
      return { kind: 'authorized', reference, captureBefore: captureBeforeOf(intent) }
    case 'requires_action':
      return { kind: 'action_required', reference, url: addressOf(intent) }
    case 'requires_payment_method':
      return { kind: 'declined', reference, declineCode: declineCodeOf(intent.last_payment_error) }
    case 'canceled':
      return { kind: 'voided', reference }
    case 'processing':
    case 'requires_confirmation':
      return { kind: 'processing', reference }
    default:
      throw new Error(`Stripe says that ${reference} is ${intent.status}, which is not known here`)
  }
}

export const declineCodeOf = (
  error: { readonly code?: string; readonly decline_code?: string } | null,
): string => error?.decline_code ?? error?.code ?? 'card_declined'

function captureBeforeOf(intent: Stripe.PaymentIntent): Date {
  const saidS = latestChargeOf(intent)?.payment_method_details?.card?.capture_before
  return new Date((saidS ?? intent.created + captureWindowS) * 1_000)
}

function addressOf({ id, next_action: next }: Stripe.PaymentIntent): string {
  const url = next?.redirect_to_url?.url
  if (url) return url
  throw new Error(`Stripe wants ${next?.type} of the buyer of ${id}, which has no address`)
}

/** The charge of an intent that was asked for with `expand`. */
export const latestChargeOf = ({ latest_charge: charge }: Stripe.PaymentIntent): Stripe.Charge | null =>
  typeof charge === 'object' ? charge : null

export function toView(
  intent: Stripe.PaymentIntent,
  refunds: readonly Stripe.Refund[],
  disputes: readonly Stripe.Dispute[],
): ChargeView {
  const { amount, amount_received: received, currency, metadata } = intent
  const capturedMinor = fromStripe(received, currency)
  const key = metadata[captureKeyName] ?? metadata[chargeKeyName] ?? ''
  return {
    answer: toChargeAnswer(intent),
    authorizedMinor: latestChargeOf(intent)?.status === 'succeeded' ? fromStripe(amount, currency) : 0,
    capturedMinor,
    captures: capturedMinor > 0 ? [{ key, amountMinor: capturedMinor }] : [],
    refunds: refunds.map(toRefundView),
    disputes: disputes.flatMap(toDisputeViews),
  }
}

export function toRefundAnswer({ id, status, failure_reason: reason }: Stripe.Refund): RefundAnswer {
  const state = refundStates[status ?? ''] ?? 'pending'
  if (state === 'failed') return { kind: 'failed', reason: reason ?? status ?? 'failed' }
  return { kind: state === 'succeeded' ? 'refunded' : 'pending', reference: id }
}

const toRefundView = ({ id, amount, currency, status, metadata }: Stripe.Refund): RefundView => ({
  key: metadata?.[refundKeyName] ?? null,
  reference: id,
  amountMinor: fromStripe(amount, currency),
  status: refundStates[status ?? ''] ?? 'pending',
})

const refundStates: Readonly<Record<string, RefundView['status']>> = {
  succeeded: 'succeeded',
  pending: 'pending',
  requires_action: 'pending',
  failed: 'failed',
  canceled: 'failed',
}

/** Inquiries (`warning_*`) and what was prevented take no money back: they are no disputes here. */
const disputeStates: Readonly<Record<string, DisputeView['status']>> = {
  needs_response: 'needs_response',
  under_review: 'under_review',
  won: 'won',
  lost: 'lost',
  appeal_needs_response: 'lost', // until the appeal is won
  appeal_under_review: 'lost',
}

function toDisputeViews({ id, amount, currency, status, reason }: Stripe.Dispute): readonly DisputeView[] {
  const state = disputeStates[status]
  return state ? [{ reference: id, amountMinor: fromStripe(amount, currency), status: state, reason }] : []
}
