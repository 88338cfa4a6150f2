import type { AttemptState, Payment } from '../../queues/payments.ts'
import type { ChargeAnswer, ChargeView, DisputeView, RefundView } from './provider.ts'

/** The provider knows our calls by these keys: of our own row, the same in every repeat. */
export const chargeKeyOf = (paymentId: string): string => `charge:${paymentId}`
export const captureKeyOf = (captureId: string): string => `capture:${captureId}`
export const voidKeyOf = (voidId: string): string => `void:${voidId}`
export const refundKeyOf = (refundId: string): string => `refund:${refundId}`

/** The payment that a key of `chargeKeyOf` names; null for any other key. */
export const paymentOf = (chargeKey: string | null): string | null =>
  /^charge:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(chargeKey ?? '')?.[1] ?? null

/**
 * How long to wait before the provider is asked again, after so many calls without an answer; null when
 * the schedule has run out and a person has to look.
 */
export const inquiryDelayMs = (unanswered: number, scheduleMs: readonly number[]): number | null =>
  scheduleMs[unanswered - 1] ?? null

/** How long to wait before a provider that does not know yet itself is asked again: the schedule, and then its last wait. */
export const patienceMs = (asked: number, scheduleMs: readonly number[]): number =>
  scheduleMs[asked - 1] ?? scheduleMs.at(-1) ?? 60_000

export type DisputeStatus = DisputeView['status']

export const statusOf = ({
  status,
  capturedMinor,
  refundedMinor,
  disputeStatus,
}: {
  readonly status: AttemptState
  readonly capturedMinor: number
  readonly refundedMinor: number
  readonly disputeStatus: DisputeStatus | null
}): Payment['status'] => {
  if (disputeStatus !== null && disputeStatus !== 'won') return 'disputed'
  if (refundedMinor === 0) return status
  return refundedMinor < capturedMinor ? 'partially_refunded' : 'refunded'
}

/** The provider may still say anything about the charge itself. */
export const isOpen = (status: AttemptState): boolean =>
  status === 'processing' || status === 'unknown' || status === 'action_required'

interface Operation {
  readonly id: string
  readonly amountMinor: number
  readonly status: 'pending' | 'succeeded' | 'failed'
  readonly inquiries: number
}

/** A payment with all that was ever done about it. */
export interface PaymentState {
  readonly id: string
  readonly status: AttemptState
  readonly amountMinor: number
  readonly capturedMinor: number
  readonly refundedMinor: number
  readonly captures: readonly Operation[]
  readonly voids: readonly Omit<Operation, 'amountMinor'>[]
  readonly refunds: readonly (Operation & { readonly reference: string | null })[]
  readonly disputes: readonly { readonly reference: string; readonly status: DisputeStatus }[]
}

/** What a view of the provider changes about a payment. They are applied in the order in which they are given. */
export type Change =
  | { readonly kind: 'charge'; readonly answer: ChargeAnswer }
  | { readonly kind: 'capture'; readonly captureId: string }
  /** Taken by somebody else, such as a person at the provider's own console. */
  | { readonly kind: 'foreign_capture'; readonly amountMinor: number }
  | { readonly kind: 'fail_capture'; readonly captureId: string }
  | { readonly kind: 'fail_void'; readonly voidId: string }
  /** What is set aside and not captured was let go. */
  | { readonly kind: 'release' }
  | { readonly kind: 'refund'; readonly refundId: string; readonly reference: string }
  | { readonly kind: 'fail_refund'; readonly refundId: string }
  | { readonly kind: 'foreign_refund'; readonly refund: RefundView }
  | { readonly kind: 'dispute'; readonly dispute: DisputeView }

/**
 * What the provider says that we do not know yet. A view may be older than what we know, so only what cannot be undone
 * at the provider counts: an end of the charge, a capture, an end of a refund, a step forward of a dispute.
 */
export function changesOf(payment: PaymentState, view: ChargeView): readonly Change[] {
  const charged = isOpen(payment.status) ? chargeChanges(view) : null
  const isSetAside = charged ? view.answer.kind === 'authorized' : canCapture(payment.status)
  return [
    ...(charged ?? []),
    ...(isSetAside ? captureChanges(payment, view) : []),
    ...refundChanges(payment, view),
    ...disputeChanges(payment, view),
  ]
}

const canCapture = (status: AttemptState) => status === 'authorized' || status === 'partially_captured'

function chargeChanges({ answer }: ChargeView): readonly Change[] {
  return answer.kind === 'processing' ? [] : [{ kind: 'charge', answer }]
}

function captureChanges(payment: PaymentState, view: ChargeView): readonly Change[] {
  const keys = new Set(view.captures.map(each => each.key))
  const pending = payment.captures.filter(each => each.status === 'pending')
  const arrived = pending.filter(each => keys.has(captureKeyOf(each.id)))
  const isOver = view.answer.kind === 'captured' || view.answer.kind === 'voided'
  const missing = isOver ? pending.filter(each => !keys.has(captureKeyOf(each.id))) : []
  const knownMinor = payment.capturedMinor + sumOf(arrived.map(each => each.amountMinor))
  const foreignMinor = Math.min(view.capturedMinor, payment.amountMinor) - knownMinor
  return [
    ...arrived.map(({ id: captureId }) => ({ kind: 'capture', captureId }) as const),
    ...missing.map(({ id: captureId }) => ({ kind: 'fail_capture', captureId }) as const),
    ...(view.capturedMinor > 0 ? payment.voids.filter(each => each.status === 'pending') : []).map(
      ({ id: voidId }) => ({ kind: 'fail_void', voidId }) as const,
    ),
    ...(foreignMinor > 0 && pending.length === arrived.length + missing.length
      ? [{ kind: 'foreign_capture', amountMinor: foreignMinor } as const]
      : []),
    ...(isOver ? [{ kind: 'release' } as const] : []),
  ]
}

function refundChanges(payment: PaymentState, view: ChargeView): readonly Change[] {
  const byKey = new Map(payment.refunds.map(each => [refundKeyOf(each.id), each]))
  const byReference = new Map(payment.refunds.map(each => [each.reference, each]))
  return view.refunds.flatMap((refund): Change[] => {
    const known = byKey.get(refund.key ?? '') ?? byReference.get(refund.reference)
    if (!known) return refund.status === 'succeeded' ? [{ kind: 'foreign_refund', refund }] : []
    if (refund.status === 'failed' && known.status !== 'failed')
      return [{ kind: 'fail_refund', refundId: known.id }]
    if (refund.status === 'succeeded' && known.status === 'pending')
      return [{ kind: 'refund', refundId: known.id, reference: refund.reference }]
    return []
  })
}

/** How far a dispute has come; it never goes back. */
const disputeRank: Readonly<Record<DisputeStatus, number>> = {
  needs_response: 0,
  under_review: 1,
  won: 2,
  lost: 2,
}
export const isDecided = (status: DisputeStatus): status is 'won' | 'lost' =>
  status === 'won' || status === 'lost'

function disputeChanges(payment: PaymentState, view: ChargeView): readonly Change[] {
  const known = new Map(payment.disputes.map(each => [each.reference, each.status]))
  return view.disputes.flatMap((dispute): Change[] => {
    const before = known.get(dispute.reference)
    const isNews = before === undefined || disputeRank[dispute.status] > disputeRank[before]
    return isNews ? [{ kind: 'dispute', dispute }] : []
  })
}

/** Something of it may or may not have happened at the provider: it is asked before anything else is done. */
export const isUnresolved = (payment: PaymentState): boolean =>
  isOpen(payment.status) || [...payment.captures, ...payment.voids, ...payment.refunds].some(isUnanswered)

/** Money that may still turn out to be set aside, taken or let go: it cannot be taken or let go until that is known. */
export const isUndecided = (payment: PaymentState): boolean =>
  isOpen(payment.status) || [...payment.captures, ...payment.voids].some(isUnanswered)

const isUnanswered = ({
  status,
  inquiries,
  reference = null,
}: Pick<Operation, 'status' | 'inquiries'> & { readonly reference?: string | null }): boolean =>
  status === 'pending' && inquiries > 0 && reference === null

/** The provider's sums, if they are not ours; what is on its way there is not counted yet. */
export function differenceOf(
  { capturedMinor, refundedMinor }: Pick<PaymentState, 'capturedMinor' | 'refundedMinor'>,
  view: ChargeView,
): { readonly capturedMinor: number; readonly refundedMinor: number } | null {
  const went = view.refunds.filter(each => each.status === 'succeeded')
  const said = { capturedMinor: view.capturedMinor, refundedMinor: sumOf(went.map(each => each.amountMinor)) }
  return said.capturedMinor === capturedMinor && said.refundedMinor === refundedMinor ? null : said
}

const sumOf = (amounts: readonly number[]): number => amounts.reduce((sum, amount) => sum + amount, 0)
