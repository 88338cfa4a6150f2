import type { Sql } from '../../db/client.ts'
import {
  done,
  type Effects,
  emit,
  follow,
  type Handlers,
  type Job,
  later,
  type Outcome,
  rejected,
} from '../../queues/outcome.ts'
import {
  captured,
  type charge as chargeCommand,
  declined,
  type payments,
  type refund as refundCommand,
  refunded,
  rollUpLedger,
} from '../../queues/payments.ts'
import type { Ask, Reply } from '../runtime/ask.ts'
import { chargeKeyOf, inquiryDelayMs, refundKeyOf } from './domain.ts'
import { rollUp } from './ledger.ts'
import type { ChargeAnswer, Provider } from './provider.ts'
import * as store from './store.ts'

type Charge = typeof chargeCommand
type Refund = typeof refundCommand

/** Transfers that one run of the clock rolls up; the rest follow at once. */
const rollUpMax = 50_000

export interface PaymentDeps {
  readonly sql: Sql
  readonly openPayment: store.OpenPayment
  readonly provider: Provider
  readonly ask: Ask
  /** Waits before a provider that did not answer is asked again. */
  readonly inquiriesMs: readonly number[]
}

export const handlers = (deps: PaymentDeps): Handlers<typeof payments> => ({
  'payments.charge': async job => {
    const payment = await deps.openPayment({ ...job.input, id: job.id, createdAt: job.now })
    refuseOtherTerms(payment, job)
    if (isSettled(payment)) return done({ paymentId: payment.id, status: payment.status })
    const reply = await askForCharge(payment, job.signal, deps)
    switch (reply.kind) {
      case 'answer':
        return settleCharge(payment, endOf(reply.answer), job)
      case 'unknown':
        return async tx => {
          await store.markUnknown(tx, payment.id)
          return askAgain(payment.inquiries + 1, reply.because, deps)
        }
      case 'not_sent':
        return later(reply.restMs, 'the payment provider keeps failing')
    }
  },

  'payments.refund': async job => {
    const refund =
      (await store.reserveRefund(deps.sql, { ...job.input, id: job.id, createdAt: job.now })) ??
      (await store.findRefund(deps.sql, job.input.paymentId, job.input.requestId))
    if (refund === null) return refuseRefund(job, deps)
    if (refund.status === 'succeeded') return done({ refundId: refund.id, paymentId: refund.paymentId })
    const reply = await askForRefund(refund, job.signal, deps)
    switch (reply.kind) {
      case 'answer':
        return settleRefund(refund)
      case 'unknown':
        return async tx => {
          await store.markRefundUnknown(tx, refund.id)
          return askAgain(refund.inquiries + 1, reply.because, deps)
        }
      case 'not_sent':
        return later(reply.restMs, 'the payment provider keeps failing')
    }
  },

  'payments.roll-up-ledger': async () => async tx => {
    const transfers = await rollUp(tx, rollUpMax)
    return done({ transfers }, { follow: transfers > rollUpMax ? [follow(rollUpLedger, {})] : [] })
  },
})

/** One number of one order is one charge: asked for again on other terms, it is a bug. */
function refuseOtherTerms(payment: store.ChargeRow, { input }: Job<Charge>): void {
  if (payment.amountMinor === input.amountMinor && payment.currency === input.currency) return
  throw new Error(`charge ${input.attempt} of order ${input.orderId} was asked for on other terms`)
}

const isSettled = ({ status }: store.ChargeRow): boolean => status === 'captured' || status === 'declined'

/** A charge that the provider may have heard of is looked up by its key before it is asked for again. */
function askForCharge(
  { id, amountMinor, currency, paymentMethod, isNew }: store.ChargeRow,
  signal: AbortSignal,
  { provider, ask }: PaymentDeps,
): Promise<Reply<ChargeAnswer>> {
  const key = chargeKeyOf(id)
  return ask(async callSignal => {
    if (amountMinor === 0) return { kind: 'captured', reference: key }
    const known = isNew ? null : await provider.find({ key, reference: null }, callSignal)
    if (known) return known.answer
    return provider.charge({ key, amountMinor, currency, paymentMethod, capture: 'automatic' }, callSignal)
  }, signal)
}

function endOf(answer: ChargeAnswer): store.ChargeEnding {
  if (answer.kind === 'captured' || answer.kind === 'declined') return answer
  throw new Error(`the provider answered ${answer.kind}, which is not a known end of a charge`)
}

const settleCharge =
  (payment: store.ChargeRow, answer: store.ChargeEnding, { input }: Job<Charge>): Effects<Charge> =>
  async tx => {
    const { id: paymentId, amountMinor, currency } = payment
    const { orderId, attempt } = input
    const money = { paymentId, orderId, amountMinor, currency }
    const isNews = await store.settleCharge(tx, { paymentId, answer })
    const news =
      answer.kind === 'captured'
        ? emit(captured, money)
        : emit(declined, { ...money, attempt, declineCode: answer.declineCode })
    return done({ paymentId, status: answer.kind }, { emit: isNews ? [news] : [] })
  }

/** The next inquiry; when the schedule has run out it throws, and the dead letter is the case for a person to review. */
function askAgain(unanswered: number, because: string, { inquiriesMs }: PaymentDeps) {
  const delayMs = inquiryDelayMs(unanswered, inquiriesMs)
  if (delayMs === null)
    throw new Error(`the payment provider left ${unanswered} calls unanswered: ${because}`)
  return later(delayMs, `the payment provider did not answer: ${because}`)
}

async function refuseRefund(job: Job<Refund>, { sql }: PaymentDeps): Promise<Outcome<Refund>> {
  const isKnown = await store.paymentExists(sql, job.input.paymentId)
  return rejected(isKnown ? 'refund_exceeds_capture' : 'payment_not_found')
}

function askForRefund(
  { id, paymentId, amountMinor, currency, isNew }: store.RefundRow,
  signal: AbortSignal,
  { provider, ask }: PaymentDeps,
): Promise<Reply<void>> {
  const key = refundKeyOf(id)
  const charge = { key: chargeKeyOf(paymentId), reference: null }
  return ask(async callSignal => {
    const known = isNew ? null : await provider.find(charge, callSignal)
    if (known?.refunds.some(each => each.key === key && each.status === 'succeeded')) return
    const answer = await provider.refund({ key, charge, amountMinor, currency }, callSignal)
    if (answer.kind !== 'refunded') throw new Error(`the provider answered ${answer.kind} to a refund`)
  }, signal)
}

const settleRefund =
  ({ id: refundId, paymentId, amountMinor }: store.RefundRow): Effects<Refund> =>
  async tx => {
    const payment = await store.markRefunded(tx, refundId)
    const output = { refundId, paymentId }
    if (payment === null) return done(output)
    const { orderId, currency, refundedMinor } = payment
    return done(output, {
      emit: [emit(refunded, { paymentId, orderId, amountMinor, currency, refundId, refundedMinor })],
    })
  }
