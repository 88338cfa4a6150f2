import type { PayloadOf } from '../../queues/command.ts'
import type { orders } from '../../queues/orders.ts'
import { cancelled, paid, paymentFailed } from '../../queues/orders.ts'
import { done, emit, follow, type Handlers, type Job, type Tx } from '../../queues/outcome.ts'
import type { captured } from '../../queues/payment-events.ts'
import { capture } from '../../queues/payments.ts'
import { openCases } from './cases.ts'
import { expiryOf, isOver, receiveAuthorized } from './domain.ts'
import { cancelShipments, isAwaitingMoney } from './fulfilment.ts'
import { handOverAwaiting } from './fulfilment-commands.ts'
import * as funds from './funds.ts'
import { giveBack, mustLoad, noteOf, told, waitToBePaid } from './handling.ts'
import * as moves from './moves.ts'
import type { OrderRow } from './store.ts'

type All = Handlers<typeof orders>
type MoneyHandlers = Pick<
  All,
  | 'orders.confirm-authorization'
  | 'orders.await-action'
  | 'orders.record-void'
  | 'orders.record-refund'
  | 'orders.record-refund-failure'
  | 'orders.record-dispute'
  | 'orders.record-dispute-end'
>

export const moneyHandlers = (): MoneyHandlers => ({
  'orders.confirm-authorization': async job => async tx => {
    const { orderId, paymentId, amountMinor } = job.input
    const note = noteOf(job, 'orders.confirm-authorization')
    const order = await moves.markPaid(tx, { orderId, note, payment: job.input, authorized: true })
    if (order !== null) return done({ orderId, state: order.state }, { emit: [emit(paid, told(order))] })
    const current = await mustLoad(tx, orderId)
    switch (receiveAuthorized(current, job.input)) {
      case 'known':
        return done({ orderId, state: current.state })
      case 'return': {
        await funds.noteLateAuthorization(tx, orderId, { paymentId, amountMinor })
        await openLatePayment(tx, job, current, { paymentId, amountMinor, money: 'authorized' })
        const late = { ...noFunds, paymentId, authorizedMinor: amountMinor }
        return done(
          { orderId, state: current.state },
          { follow: giveBack(job, late, `order ${current.state}`) },
        )
      }
      case 'pay':
        throw new Error(`order ${orderId} moved while its payment was confirmed`)
    }
  },

  'orders.await-action': async job => async tx => {
    const { orderId } = job.input
    await funds.noteAction(tx, { ...job.input, keptUntil: expiryOf(job.now) })
    const current = await mustLoad(tx, orderId)
    if (!isOver(current.state)) return done({ orderId, state: current.state })
    // Nobody shall confirm what nobody wants any more.
    const open = { ...noFunds, actionPaymentId: job.input.paymentId }
    return done({ orderId, state: current.state }, { follow: giveBack(job, open, `order ${current.state}`) })
  },

  'orders.record-void': async job => async tx => {
    const { orderId, paymentId, attempt, reason } = job.input
    const note = noteOf(job, 'orders.record-void')
    await funds.noteVoid(tx, orderId, paymentId)
    const failed = await moves.markPaymentFailed(tx, { orderId, note, attempt })
    if (failed !== null) {
      return done({ orderId, state: failed.state }, { emit: [emit(paymentFailed, told(failed))] })
    }
    const current = await mustLoad(tx, orderId)
    if (
      current.paymentId !== paymentId ||
      isOver(current.state) ||
      current.capturedMinor >= current.totalMinor
    )
      return done({ orderId, state: current.state })
    const detail = { reason, was: current.state, capturedMinor: current.capturedMinor }
    await openCases(tx, [
      { id: job.id, kind: 'authorization_lost', cause: paymentId, orderId, paymentId, detail, at: job.now },
    ])
    // A part that was captured is somebody's decision, and so is what becomes of the order then.
    const order = current.capturedMinor === 0 ? await moves.markRejected(tx, { orderId, note }) : null
    if (order === null) return done({ orderId, state: current.state })
    await cancelShipments(tx, orderId)
    return done({ orderId, state: order.state }, { emit: [emit(cancelled, told(order))] })
  },

  'orders.record-refund': async job => async tx => {
    const wait = await waitToBePaid(tx, job, job.input)
    if (wait) return wait
    const { orderId, paymentId } = job.input
    await funds.noteRefund(tx, job.input, 'refunded')
    const order = await mustLoad(tx, orderId)
    const isLeft = isOver(order.state) && order.paymentId === paymentId
    // What was asked for when the order ended may have met another refund on its way, and was refused for that.
    return done(
      { orderId, state: order.state },
      { follow: isLeft ? giveBack(job, order, `order ${order.state}`) : [] },
    )
  },

  'orders.record-refund-failure': async job => async tx => {
    const wait = await waitToBePaid(tx, job, job.input)
    if (wait) return wait
    const { orderId, paymentId, refundId, amountMinor, currency, reason } = job.input
    await funds.noteRefund(tx, job.input, 'failed')
    const detail = { amountMinor, currency, reason }
    await openCases(tx, [
      { id: job.id, kind: 'refund_failed', cause: refundId, orderId, paymentId, detail, at: job.now },
    ])
    const { state } = await mustLoad(tx, orderId)
    return done({ orderId, state })
  },

  'orders.record-dispute': async job => async tx => {
    const wait = await waitToBePaid(tx, job, job.input)
    if (wait) return wait
    const { orderId, paymentId, disputeId, amountMinor, currency, reason } = job.input
    const detail = { amountMinor, currency, reason }
    await openCases(tx, [
      { id: job.id, kind: 'dispute', cause: disputeId, orderId, paymentId, detail, at: job.now },
    ])
    await funds.noteDisputes(tx, { orderId, paymentId })
    const { state } = await mustLoad(tx, orderId)
    return done({ orderId, state })
  },

  'orders.record-dispute-end': async job => async tx => {
    const wait = await waitToBePaid(tx, job, job.input)
    if (wait) return wait
    const { orderId, paymentId, disputeId, amountMinor, currency, reason, outcome } = job.input
    const detail = { amountMinor, currency, reason, outcome }
    await openCases(tx, [
      { id: job.id, kind: 'dispute', cause: disputeId, orderId, paymentId, detail, at: job.now },
    ])
    await funds.noteOutcome(tx, disputeId, outcome)
    await funds.noteDisputes(tx, { orderId, paymentId })
    const { state } = await mustLoad(tx, orderId)
    return done({ orderId, state })
  },
})

const noFunds = {
  paymentId: null,
  authorizedMinor: 0,
  capturedMinor: 0,
  refundedMinor: 0,
  actionPaymentId: null,
} as const

/** A captured payment that pays nothing: counted for what was set aside, or sent back and shown to operators. */
export async function takeCapture(
  tx: Tx,
  job: Job & { readonly input: PayloadOf<typeof captured> },
  current: OrderRow,
  what: 'capture' | 'return',
) {
  const { orderId, paymentId, amountMinor } = job.input
  const capturedMinor = job.input.capturedMinor ?? amountMinor
  if (what === 'capture') {
    const order = await funds.noteCapture(tx, orderId, { paymentId, capturedMinor })
    if (order === null) throw new Error(`order ${orderId} moved while its capture was counted`)
    const emitted = await handOverAwaiting(tx, order)
    // A part that was captured by hand met the capture that a shipment had asked for, which was refused for it.
    const leftMinor = order.totalMinor - order.capturedMinor
    const isAwaited = leftMinor > 0 && order.state === 'fulfilling' && (await isAwaitingMoney(tx, orderId))
    const rest = { paymentId, requestId: job.id, amountMinor: leftMinor, isFinal: true }
    return done(
      { orderId, state: order.state },
      { emit: emitted, follow: isAwaited ? [follow(capture, rest)] : [] },
    )
  }
  const refundedMinor = current.paymentId === paymentId ? current.refundedMinor : 0
  await funds.noteLateCapture(tx, orderId, { paymentId, capturedMinor })
  await openLatePayment(tx, job, current, { paymentId, amountMinor, money: 'captured' })
  const late = { ...noFunds, paymentId, capturedMinor, refundedMinor }
  return done({ orderId, state: current.state }, { follow: giveBack(job, late, `order ${current.state}`) })
}

const openLatePayment = (
  tx: Tx,
  job: Job,
  order: OrderRow,
  late: {
    readonly paymentId: string
    readonly amountMinor: number
    readonly money: 'captured' | 'authorized'
  },
) =>
  openCases(tx, [
    {
      id: job.id,
      kind: 'late_payment',
      cause: late.paymentId,
      orderId: order.id,
      paymentId: late.paymentId,
      detail: {
        money: late.money,
        amountMinor: late.amountMinor,
        currency: order.currency,
        order: order.state,
      },
      at: job.now,
    },
  ])
