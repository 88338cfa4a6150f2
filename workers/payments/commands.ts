import { done, type Effects, follow, type Handlers, type Job, later, rejected } from '../../queues/outcome.ts'
import {
  type charge as chargeCommand,
  observe as observeCommand,
  type payments,
  reconcile as reconcileCommand,
  rollUpLedger,
  voidPayment,
} from '../../queues/payments.ts'
import type { Reply } from '../runtime/ask.ts'
import { chargeKeyOf, isOpen, patienceMs, statusOf } from './domain.ts'
import { rollUp } from './ledger.ts'
import { captureHandler, refundHandler, voidHandler } from './operations.ts'
import type { ChargeAnswer, ChargeView } from './provider.ts'
import { forgetEvents, takeOverdue, takeSilent } from './reconcile.ts'
import { askAgain, callOnce, type Found, givenOf, look, type PaymentDeps, restLater } from './remote.ts'
import { type PaymentRow, readState } from './state.ts'
import { payOut } from './statements.ts'
import * as store from './store.ts'
import { applyCharge, applyView } from './view.ts'
import { collectEvents } from './webhooks.ts'

type Charge = typeof chargeCommand
type Observe = typeof observeCommand

/** Transfers that one run of the clock rolls up; the rest follow at once. */
const rollUpMax = 50_000
/** Payments that one run of the clock looks at again; the rest follow at once. */
const reconcileMax = 200
/** Webhooks that one run of the clock forgets, and how old they are. */
const forgetMax = 5_000
const eventsKeptMs = 30 * 86_400_000

export const handlers = (deps: PaymentDeps): Handlers<typeof payments> => ({
  'payments.charge': async job => {
    refuseWrongSplit(job)
    const payment = await deps.openPayment({
      ...job.input,
      id: job.id,
      capture: job.input.capture ?? 'automatic',
      provider: deps.chosenFor(job.input.currency).provider.name,
      storeId: job.input.storeId ?? null,
      split: job.input.split ?? null,
      createdAt: job.now,
    })
    refuseOtherTerms(payment, job)
    if (!isOpen(payment.status)) return done({ paymentId: payment.id, status: payment.status })
    const reply = await askForCharge(payment, job.signal, deps)
    switch (reply.kind) {
      case 'answer':
        return 'view' in reply.answer
          ? applyToCharge(payment, reply.answer.view, job, deps)
          : settleCharge(payment, reply.answer.answer, job, deps)
      case 'unknown':
        return askAgain<Charge>(payment.inquiries + 1, reply.because, deps, tx =>
          store.markUnknown(tx, payment.id),
        )
      case 'not_sent':
        return restLater(reply.restMs)
    }
  },

  'payments.capture': captureHandler(deps),
  'payments.void': voidHandler(deps),
  'payments.refund': refundHandler(deps),

  'payments.observe': async job => {
    const payment = await readState(deps.sql, job.input.paymentId)
    if (payment === null) return rejected('payment_not_found')
    // A buyer who has not confirmed the charge in time cannot do so any more.
    const isGivenUp = job.now.getTime() > payment.createdAt.getTime() + deps.actionMs
    const reply = await look(payment, { isGivenUp }, job.signal, deps)
    switch (reply.kind) {
      case 'answer': {
        const view = reply.answer
        // The charge that has not come there yet is its own command's affair.
        if (view === null) return done({ paymentId: payment.id, status: statusOf(payment) })
        return applyAndWait(payment, view, job, deps)
      }
      case 'unknown':
        return later(
          patienceMs(job.run, deps.inquiriesMs),
          `the payment provider did not answer: ${reply.because}`,
        )
      case 'not_sent':
        return restLater(reply.restMs)
    }
  },

  'payments.reconcile': async job => async tx => {
    const nextAt = new Date(job.now.getTime() + deps.reconcileMs)
    const overdue = await takeOverdue(tx, { now: job.now, nextAt, limit: reconcileMax })
    const silent = await takeSilent(tx, { now: job.now, nextAt, limit: reconcileMax })
    await forgetEvents(tx, { before: new Date(job.now.getTime() - eventsKeptMs), limit: forgetMax })
    const isMore = overdue.length === reconcileMax || silent.length === reconcileMax
    return done(
      { observed: silent.length, voided: overdue.length },
      {
        follow: [
          ...overdue.map(paymentId =>
            follow(voidPayment, { paymentId, requestId: paymentId, reason: 'expired' }),
          ),
          ...silent.map(paymentId => follow(observeCommand, { paymentId })),
          ...(isMore ? [follow(reconcileCommand, {})] : []),
        ],
      },
    )
  },

  'payments.collect-events': async job => {
    const since = new Date(job.now.getTime() - eventsKeptMs)
    const found = await Promise.all(deps.remotes.map(desk => collectEvents(desk, since, job, deps)))
    return done({
      events: found.reduce<number>((sum, events) => sum + (events ?? 0), 0),
      unanswered: found.filter(events => events === null).length,
    })
  },

  'payments.record-payout': async job => async tx => {
    const { storeId } = job.input
    const short = await payOut(tx, { ...job.input, id: job.id, paidAt: job.now })
    return short === null
      ? done({ payoutId: job.id, storeId })
      : rejected('payout_exceeds_owed', { ...short })
  },

  'payments.roll-up-ledger': async () => async tx => {
    const transfers = await rollUp(tx, rollUpMax)
    return done({ transfers }, { follow: transfers > rollUpMax ? [follow(rollUpLedger, {})] : [] })
  },
})

/** The parts of a charge are all of it: anything else is a bug of who asks. */
function refuseWrongSplit({ input: { orderId, attempt, amountMinor, split } }: Job<Charge>): void {
  if (!split) return
  const sumMinor = split.reduce((sum, each) => sum + each.amountMinor, 0)
  if (sumMinor === amountMinor) return
  throw new Error(`the parts of charge ${attempt} of order ${orderId} do not add up to it`)
}

/** One number of one order is one charge: asked for again on other terms, it is a bug. */
function refuseOtherTerms(payment: store.ChargeRow, { input }: Job<Charge>): void {
  if (payment.amountMinor === input.amountMinor && payment.currency === input.currency) return
  throw new Error(`charge ${input.attempt} of order ${input.orderId} was asked for on other terms`)
}

const notTaken = { kind: 'declined', reference: null, declineCode: 'currency_not_taken' } as const

async function askForCharge(
  payment: store.ChargeRow,
  signal: AbortSignal,
  { remoteOf }: PaymentDeps,
): Promise<Reply<Found<ChargeAnswer>>> {
  const { id, amountMinor, currency, paymentMethod, capture, isNew } = payment
  const key = chargeKeyOf(id)
  if (amountMinor === 0) return { kind: 'answer', answer: { answer: { kind: 'captured', reference: key } } }
  const remote = remoteOf(payment.provider)
  if (!remote.provider.takes(currency)) return { kind: 'answer', answer: { answer: notTaken } }
  const call = (callSignal: AbortSignal) =>
    remote.provider.charge({ key, amountMinor, currency, paymentMethod, capture }, callSignal)
  return callOnce(remote, payment, { isNew, isEnd: () => true, call }, signal)
}

const settleCharge =
  (payment: store.ChargeRow, answer: ChargeAnswer, job: Job<Charge>, deps: PaymentDeps): Effects<Charge> =>
  async tx => {
    const reconcileAt = new Date(job.now.getTime() + deps.reconcileMs)
    const news = await applyCharge(tx, payment, answer, { reconcileAt })
    const status = answer.kind === 'voided' ? 'declined' : answer.kind
    return done({ paymentId: payment.id, status }, { emit: news, follow: waitFor(payment.id, status, deps) })
  }

const applyToCharge =
  ({ id }: store.ChargeRow, view: ChargeView, job: Job<Charge>, deps: PaymentDeps): Effects<Charge> =>
  async tx => {
    const { payment, news } = await applyView(tx, id, view, givenOf(deps, job))
    const status = statusOf(payment)
    return done({ paymentId: id, status }, { emit: news, follow: waitFor(id, payment.status, deps) })
  }

/** A charge that the provider has, and that has not ended, is looked at until it has. */
const waitFor = (paymentId: string, status: PaymentRow['status'], { inquiriesMs }: PaymentDeps) =>
  isOpen(status) ? [follow(observeCommand, { paymentId }, patienceMs(1, inquiriesMs))] : []

const applyAndWait =
  ({ id }: PaymentRow, view: ChargeView, job: Job<Observe>, deps: PaymentDeps): Effects<Observe> =>
  async tx => {
    const { payment, news } = await applyView(tx, id, view, givenOf(deps, job))
    const waitMs = patienceMs(job.run + 1, deps.inquiriesMs)
    if (isOpen(payment.status) && news.length === 0) return later(waitMs, `the charge is ${view.answer.kind}`)
    const waits = isOpen(payment.status) ? [follow(observeCommand, { paymentId: id }, waitMs)] : []
    return done({ paymentId: id, status: statusOf(payment) }, { emit: news, follow: waits })
  }
