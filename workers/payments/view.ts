import { type Emitted, emit, type Tx } from '../../queues/outcome.ts'
import { actionRequired, captured, declined } from '../../queues/payment-events.ts'
import type { AttemptState } from '../../queues/payments.ts'
import { authorizedNews, failCapture, noteForeignCapture, release, settleCapture } from './captures.ts'
import { noteDispute } from './disputes.ts'
import { type Change, changesOf, differenceOf } from './domain.ts'
import type { ChargeAnswer, ChargeView } from './provider.ts'
import { failRefund, noteForeignRefund, settleRefund } from './refunds.ts'
import { lockState, type PaymentRow } from './state.ts'
import * as store from './store.ts'
import { failVoid } from './voids.ts'

export interface Given {
  readonly newId: () => string
  readonly now: Date
  /** How long a payment whose end is open is left alone. */
  readonly reconcileMs: number
}

export interface Applied {
  readonly payment: PaymentRow
  /** What is to be told. */
  readonly news: readonly Emitted[]
}

/** Applies all that the provider says about a payment: the one way in which anything unknown becomes known. */
export async function applyView(tx: Tx, paymentId: string, view: ChargeView, given: Given): Promise<Applied> {
  const payment = await lockState(tx, paymentId)
  const news: Emitted[] = []
  for (const change of changesOf(payment, view)) news.push(...(await apply(tx, payment, change, view, given)))
  const after = await lockState(tx, paymentId)
  await store.noteDifference(tx, paymentId, { said: differenceOf(after, view), ...nextLook(after, given) })
  return { payment: after, news }
}

/** Whoever may still lose or get money is looked at again some day, even if no webhook ever comes. */
function nextLook({ status, refunds }: PaymentRow, { now, reconcileMs }: Given) {
  const isAtRest = status === 'captured' || status === 'declined' || status === 'voided'
  const isOnItsWay = refunds.some(each => each.status === 'pending')
  return { reconcileAt: isAtRest && !isOnItsWay ? null : new Date(now.getTime() + reconcileMs) }
}

function apply(
  tx: Tx,
  payment: PaymentRow,
  change: Change,
  view: ChargeView,
  { newId, now, reconcileMs }: Given,
): Promise<readonly Emitted[]> {
  const own = { id: newId(), at: now }
  switch (change.kind) {
    case 'charge':
      return applyCharge(tx, payment, change.answer, {
        view,
        reconcileAt: new Date(now.getTime() + reconcileMs),
      })
    case 'capture':
      return settleCapture(tx, payment.id, change.captureId)
    case 'foreign_capture':
      return noteForeignCapture(tx, payment, { ...own, amountMinor: change.amountMinor })
    case 'fail_capture':
      return silently(failCapture(tx, payment.id, change.captureId))
    case 'fail_void':
      return silently(failVoid(tx, payment.id, change.voidId))
    case 'release':
      return release(tx, payment.id, 'let go by the provider')
    case 'refund':
      return settleRefund(tx, payment.id, { id: change.refundId, reference: change.reference })
    case 'fail_refund':
      return failRefund(tx, payment.id, { id: change.refundId, reason: 'the provider says that it failed' })
    case 'foreign_refund':
      return noteForeignRefund(tx, payment, change.refund, own)
    case 'dispute':
      return noteDispute(tx, payment.id, change.dispute, own)
  }
}

const silently = async (done: Promise<void>): Promise<readonly Emitted[]> => {
  await done
  return []
}

/** An answer about the charge itself. What is to be told; nothing if it was known. */
export async function applyCharge(
  tx: Tx,
  payment: ChargedPayment,
  answer: ChargeAnswer,
  { view, reconcileAt }: { readonly view?: ChargeView; readonly reconcileAt: Date },
): Promise<readonly Emitted[]> {
  const { id: paymentId, orderId, amountMinor, currency, attempt, provider } = payment
  const money = { paymentId, orderId, amountMinor, currency }
  switch (answer.kind) {
    case 'processing':
      await store.markProcessing(tx, { paymentId, provider, reference: answer.reference, reconcileAt })
      return []
    case 'action_required': {
      const isNews = await store.markActionRequired(tx, { paymentId, provider, ...answer, reconcileAt })
      return isNews ? [emit(actionRequired, { ...money, attempt, url: answer.url })] : []
    }
    case 'captured': {
      if (view && view.capturedMinor !== amountMinor)
        throw new Error(`the provider took ${view.capturedMinor} of ${amountMinor} for payment ${paymentId}`)
      const isNews = await store.settleCharge(tx, { paymentId, answer, reconcileAt: null })
      return isNews ? [emit(captured, { ...money, capturedMinor: amountMinor })] : []
    }
    case 'authorized': {
      const isNews = await store.settleCharge(tx, { paymentId, answer, reconcileAt })
      return isNews ? [authorizedNews(money, answer.captureBefore)] : []
    }
    case 'declined':
    case 'voided': {
      const ending = declineOf(answer, payment.status)
      const isNews = await store.settleCharge(tx, { paymentId, answer: ending, reconcileAt: null })
      return isNews ? [emit(declined, { ...money, attempt, declineCode: ending.declineCode })] : []
    }
  }
}

export interface ChargedPayment {
  readonly id: string
  readonly orderId: string
  readonly attempt: number
  readonly amountMinor: number
  readonly currency: string
  readonly status: AttemptState
  readonly provider: string
}

/** Nothing was ever set aside: for the order it is a charge that did not succeed. */
function declineOf(
  answer: Extract<ChargeAnswer, { kind: 'declined' | 'voided' }>,
  before: AttemptState,
): Extract<ChargeAnswer, { kind: 'declined' }> {
  if (answer.kind === 'declined') return answer
  const declineCode = before === 'action_required' ? 'authentication_expired' : 'voided'
  return { kind: 'declined', reference: answer.reference, declineCode }
}
