import type { Command } from '../../queues/command.ts'
import { done, type Effects, type Handler, type Job, later, rejected } from '../../queues/outcome.ts'
import type { capture, refund, voidPayment } from '../../queues/payments.ts'
import * as captures from './captures.ts'
import { captureKeyOf, isOpen, isUndecided, patienceMs, refundKeyOf, statusOf, voidKeyOf } from './domain.ts'
import { type ChargeView, ProviderRefusal, type RefundAnswer } from './provider.ts'
import * as refunds from './refunds.ts'
import { askAgain, callOnce, givenOf, type PaymentDeps, resolve, restLater } from './remote.ts'
import { chargeRefOf, type PaymentRow, readState } from './state.ts'
import { applyView } from './view.ts'
import * as voids from './voids.ts'

type Capture = typeof capture
type Void = typeof voidPayment
type Refund = typeof refund

/** How often somebody who waits for an answer is let wait for the provider's, before it is said that there is none. */
const patientRuns = 3
const lookAgainMs = 250

export const captureHandler =
  (deps: PaymentDeps): Handler<Capture> =>
  async job => {
    const { paymentId, amountMinor, requestId = job.id, isFinal = null } = job.input
    const payment = await readState(deps.sql, paymentId)
    if (payment === null) return rejected('payment_not_found')
    const known = await captures.findCapture(deps.sql, paymentId, requestId)
    const current = known ? payment : await resolve(payment, job, deps)
    if (!known && isUndecided(current)) return waitOrRefuse(job, deps)
    const remote = deps.remoteOf(payment.provider)
    const terms = { id: job.id, paymentId, requestId, amountMinor, createdAt: job.now }
    const capture =
      known ??
      (await captures.reserveCapture(deps.sql, {
        ...terms,
        isFinal: remote.provider.severalCaptures ? isFinal : true,
      })) ??
      (await captures.findCapture(deps.sql, paymentId, requestId))
    if (capture === null) return refuseCapture(job, deps)
    if (capture.status !== 'pending') return done(outputOf(capture))

    const key = captureKeyOf(capture.id)
    const request = { key, charge: chargeRefOf(current), ...pick(capture), currency: payment.currency }
    const reply = await callOnce(
      remote,
      current,
      {
        isNew: capture.isNew,
        isEnd: view => isOver(view) || view.captures.some(each => each.key === key),
        call: signal => remote.provider.capture(request, signal),
      },
      job.signal,
    )
    switch (reply.kind) {
      case 'answer': {
        const found = reply.answer
        return async tx => {
          if ('answer' in found) {
            const news = await captures.settleCapture(tx, paymentId, capture.id)
            return done(outputOf({ ...capture, status: 'succeeded' }), { emit: news })
          }
          const { payment: after, news } = await applyView(tx, paymentId, found.view, givenOf(deps, job))
          const { status = 'failed' } = after.captures.find(each => each.id === capture.id) ?? {}
          return done(outputOf({ ...capture, status }), { emit: news })
        }
      }
      case 'unknown':
        return askAgain<Capture>(capture.inquiries + 1, reply.because, deps, tx =>
          captures.markCaptureUnknown(tx, capture.id),
        )
      case 'not_sent':
        return restLater(reply.restMs)
    }
  }

const pick = ({ amountMinor, isFinal }: captures.CaptureRow) => ({ amountMinor, isFinal })
const outputOf = ({ id, paymentId, status }: Pick<captures.CaptureRow, 'id' | 'paymentId' | 'status'>) => ({
  captureId: id,
  paymentId,
  status,
})

/** Nothing more can be captured or let go there. */
const isOver = ({ answer }: ChargeView): boolean =>
  answer.kind === 'captured' || answer.kind === 'voided' || answer.kind === 'declined'

async function refuseCapture(job: Job<Capture>, deps: PaymentDeps) {
  const payment = await mustRead(job.input.paymentId, deps)
  const canCapture = payment.status === 'authorized' || payment.status === 'partially_captured'
  if (!canCapture) return rejected('payment_state_conflict', { current: statusOf(payment) })
  const leftMinor = payment.amountMinor - payment.capturedMinor - payment.capturePendingMinor
  if (job.input.amountMinor > leftMinor) return rejected('capture_exceeds_authorization', { leftMinor })
  return waitOrRefuse(job, deps) // something is on its way that has to end first
}

export const voidHandler =
  (deps: PaymentDeps): Handler<Void> =>
  async job => {
    const { paymentId, requestId = job.id, reason } = job.input
    const payment = await readState(deps.sql, paymentId)
    if (payment === null) return rejected('payment_not_found')
    const known = await voids.findVoid(deps.sql, paymentId, requestId)
    const current = known ? payment : await resolve(payment, job, deps, { isGivenUp: true })
    // The buyer had not confirmed the charge, and cannot do so any more.
    if (payment.status === 'action_required' && current.status === 'declined')
      return done({ paymentId, status: 'succeeded' })
    if (!known && isUndecided(current)) return waitOrRefuse(job, deps)
    const request =
      known ??
      (await voids.reserveVoid(deps.sql, { id: job.id, paymentId, requestId, reason, createdAt: job.now })) ??
      (await voids.findVoid(deps.sql, paymentId, requestId))
    if (request === null) return refuseVoid(job, deps)
    if (request.status !== 'pending') return done({ paymentId, status: request.status })

    const remote = deps.remoteOf(payment.provider)
    const charge = chargeRefOf(current)
    const isEnd = (view: ChargeView) => isOver(view) || view.capturedMinor > 0
    const reply = await callOnce(
      remote,
      current,
      {
        isNew: request.isNew,
        isEnd,
        call: signal => remote.provider.void({ key: voidKeyOf(request.id), charge }, signal),
      },
      job.signal,
    )
    switch (reply.kind) {
      case 'answer': {
        const found = reply.answer
        return async tx => {
          if ('answer' in found) {
            const news = await captures.release(tx, paymentId, reason)
            return done({ paymentId, status: 'succeeded' as const }, { emit: news })
          }
          const { payment: after, news } = await applyView(tx, paymentId, found.view, givenOf(deps, job))
          const { status = 'failed' } = after.voids.find(each => each.id === request.id) ?? {}
          return done({ paymentId, status }, { emit: news })
        }
      }
      case 'unknown':
        return askAgain<Void>(request.inquiries + 1, reply.because, deps, tx =>
          voids.markVoidUnknown(tx, request.id),
        )
      case 'not_sent':
        return restLater(reply.restMs)
    }
  }

async function refuseVoid(job: Job<Void>, deps: PaymentDeps) {
  const payment = await mustRead(job.input.paymentId, deps)
  if (payment.capturedMinor > 0) return rejected('already_captured')
  if (payment.status !== 'authorized') return rejected('nothing_to_void')
  return waitOrRefuse(job, deps) // a capture, or another void, is on its way
}

export const refundHandler =
  (deps: PaymentDeps): Handler<Refund> =>
  async job => {
    const { paymentId, amountMinor, reason, requestId = job.id } = job.input
    const payment = await readState(deps.sql, paymentId)
    if (payment === null) return rejected('payment_not_found')
    const known = await refunds.findRefund(deps.sql, paymentId, requestId)
    const current = known ? payment : await resolve(payment, job, deps)
    if (!known && isOpen(current.status)) return waitOrRefuse(job, deps)
    const terms = { id: job.id, paymentId, requestId, amountMinor, reason, createdAt: job.now }
    const refund =
      known ??
      (await refunds.reserveRefund(deps.sql, terms)) ??
      (await refunds.findRefund(deps.sql, paymentId, requestId))
    if (refund === null) return refuseRefund(job, deps)
    const output = { refundId: refund.id, paymentId }
    // Once the provider has accepted it, it tells how it ends, or is asked by the clock.
    if (refund.status !== 'pending' || refund.reference !== null)
      return done({ ...output, status: refund.status })

    const remote = deps.remoteOf(payment.provider)
    const key = refundKeyOf(refund.id)
    const request = {
      key,
      charge: chargeRefOf(current),
      amountMinor: refund.amountMinor,
      currency: payment.currency,
    }
    const reply = await callOnce<RefundAnswer>(
      remote,
      current,
      {
        isNew: refund.isNew,
        isEnd: view => view.refunds.some(each => each.key === key),
        call: signal => remote.provider.refund(request, signal).catch(refusedIsFailed),
      },
      job.signal,
    )
    switch (reply.kind) {
      case 'answer': {
        const found = reply.answer
        return 'view' in found
          ? applyToRefund(refund, found.view, job, deps)
          : settleRefund(refund, found.answer, job, deps)
      }
      case 'unknown':
        return askAgain<Refund>(refund.inquiries + 1, reply.because, deps, tx =>
          refunds.markRefundUnknown(tx, refund.id),
        )
      case 'not_sent':
        return restLater(reply.restMs)
    }
  }

/** What it refuses it never does: the amount must not stay set aside. */
function refusedIsFailed(error: unknown): RefundAnswer {
  if (error instanceof ProviderRefusal) return { kind: 'failed', reason: error.message }
  throw error
}

const settleRefund =
  (refund: refunds.RefundRow, answer: RefundAnswer, job: Job<Refund>, deps: PaymentDeps): Effects<Refund> =>
  async tx => {
    const { id, paymentId } = refund
    const output = { refundId: id, paymentId }
    switch (answer.kind) {
      case 'refunded': {
        const news = await refunds.settleRefund(tx, paymentId, { id, reference: answer.reference })
        return done({ ...output, status: 'succeeded' as const }, { emit: news })
      }
      case 'pending': {
        const reconcileAt = new Date(job.now.getTime() + deps.reconcileMs)
        await refunds.markRefundAccepted(tx, { id, paymentId, reference: answer.reference, reconcileAt })
        return done({ ...output, status: 'pending' as const })
      }
      case 'failed': {
        const news = await refunds.failRefund(tx, paymentId, { id, reason: answer.reason })
        return done({ ...output, status: 'failed' as const }, { emit: news })
      }
    }
  }

const applyToRefund =
  (
    { id, paymentId }: refunds.RefundRow,
    view: ChargeView,
    job: Job<Refund>,
    deps: PaymentDeps,
  ): Effects<Refund> =>
  async tx => {
    const said = view.refunds.find(each => each.key === refundKeyOf(id))
    const reconcileAt = new Date(job.now.getTime() + deps.reconcileMs)
    if (said?.status === 'pending')
      await refunds.markRefundAccepted(tx, { id, paymentId, reference: said.reference, reconcileAt })
    const { payment, news } = await applyView(tx, paymentId, view, givenOf(deps, job))
    const { status = 'pending' } = payment.refunds.find(each => each.id === id) ?? {}
    return done({ refundId: id, paymentId, status }, { emit: news })
  }

async function refuseRefund(job: Job<Refund>, deps: PaymentDeps) {
  const payment = await mustRead(job.input.paymentId, deps)
  if (payment.disputeStatus !== null && payment.disputeStatus !== 'won') return rejected('payment_disputed')
  const leftMinor = payment.capturedMinor - payment.refundedMinor - payment.refundPendingMinor
  return rejected('refund_exceeds_capture', { leftMinor })
}

async function mustRead(paymentId: string, { sql }: PaymentDeps): Promise<PaymentRow> {
  const payment = await readState(sql, paymentId)
  if (!payment) throw new Error(`there is no payment ${paymentId}`)
  return payment
}

/** Somebody who waits is told soon that the provider has not said; what the system asks for waits until it has. */
function waitOrRefuse(job: Job<Command>, { inquiriesMs }: PaymentDeps) {
  const isPerson = (job.actor?.scopes.length ?? 0) > 0
  if (job.run <= patientRuns) return later(lookAgainMs, 'the provider has not said how the payment stands')
  if (isPerson) return rejected('payment_unresolved')
  return later(
    patienceMs(job.run - patientRuns, inquiriesMs),
    'the provider has not said how the payment stands',
  )
}
