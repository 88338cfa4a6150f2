import { kitchenAccepted, shipmentRequested } from '../../queues/fulfilment.ts'
import {
  type accept,
  cancelUnaccepted as cancelUnacceptedCommand,
  type reject,
  type ship,
} from '../../queues/order-fulfilment.ts'
import type { orders } from '../../queues/orders.ts'
import { cancelled, completed } from '../../queues/orders.ts'
import {
  done,
  type Emitted,
  emit,
  type FollowUp,
  follow,
  type Handlers,
  type Job,
  rejected,
  type Tx,
} from '../../queues/outcome.ts'
import { capture } from '../../queues/payments.ts'
import { openCases } from './cases.ts'
import { rejectable, sourcesOf } from './domain.ts'
import { gather, shortOf } from './fulfilling.ts'
import * as fulfilment from './fulfilment.ts'
import { giveBack, mustLoad, noteOf, refuseMove, told } from './handling.ts'
import * as moves from './moves.ts'
import type { OrderRow } from './store.ts'
import { acceptDeadlinesIn, cancelUnaccepted } from './timers.ts'

type FulfilmentHandlers = Pick<
  Handlers<typeof orders>,
  | 'orders.ship'
  | 'orders.accept'
  | 'orders.reject'
  | 'orders.cancel-unaccepted'
  | 'orders.record-delivery'
  | 'orders.record-shipment-return'
  | 'orders.record-shipment-loss'
>

/** Orders that one run of the clock cancels; the rest follow at once. */
const cancelBatchMax = 100
/** How far a run of the clock looks ahead: a little further than to the next one. */
export const lookAheadMs = 17_000

export const fulfilmentHandlers = (): FulfilmentHandlers => ({
  'orders.ship': async job => async tx => {
    const { orderId } = job.input
    const known = await fulfilment.loadShipment(tx, job.id)
    if (known !== null) return tellShipment(tx, orderId, known)
    const moved = await moves.markShipping(tx, { orderId, note: noteOf(job, 'orders.ship') })
    if (moved === null && !(await fulfilment.holdShipping(tx, orderId))) return refuseShip(tx, job)

    const left = await fulfilment.leftToShip(tx, orderId)
    const lines = job.input.lines ? gather(job.input.lines) : left
    const short = shortOf(lines, left)
    if (lines.length === 0 || short.length > 0) return rejected('not_left', { lines: short })
    if (!(await fulfilment.takeFromLines(tx, orderId, lines)))
      throw new Error(`lines of order ${orderId} changed while it was held`)
    return startShipment(tx, job, { orderId, kind: 'parcel', lines, isFirst: moved !== null })
  },

  'orders.accept': async job => async tx => {
    const { orderId } = job.input
    const known = await fulfilment.loadShipment(tx, job.id)
    if (known !== null) return tellShipment(tx, orderId, known)
    const moved = await moves.markAccepted(tx, { orderId, note: noteOf(job, 'orders.accept') })
    if (moved === null) return refuseAccept(tx, job)
    const lines = await fulfilment.leftToShip(tx, orderId)
    if (!(await fulfilment.takeFromLines(tx, orderId, lines)))
      throw new Error(`lines of order ${orderId} changed while it was held`)
    return startShipment(tx, job, { orderId, kind: 'kitchen', lines, isFirst: true })
  },

  'orders.reject': async job => async tx => {
    const { orderId, reason } = job.input
    const order = await moves.markRejected(tx, { orderId, note: noteOf(job, 'orders.reject') })
    if (order === null) return refuseReject(tx, job)
    await fulfilment.cancelShipments(tx, orderId)
    return done(
      { orderId, state: order.state },
      { follow: giveBack(job, order, reason), emit: [emit(cancelled, told(order))] },
    )
  },

  'orders.cancel-unaccepted': async job => async tx => {
    const note = noteOf(job, 'orders.cancel-unaccepted')
    const ended = await cancelUnaccepted(tx, { limit: cancelBatchMax, note })
    const again: FollowUp[] =
      ended.length < cancelBatchMax ? [] : [follow(cancelUnacceptedCommand, { foreseen: true })]
    const until = new Date(job.now.getTime() + lookAheadMs)
    const moments = job.input.foreseen ? [] : await acceptDeadlinesIn(tx, { after: job.now, until })
    const foreseen = moments.map(moment =>
      follow(cancelUnacceptedCommand, { foreseen: true }, moment.getTime() - job.now.getTime()),
    )
    return done(
      { cancelled: ended.length },
      {
        emit: ended.map(order => emit(cancelled, told(order))),
        follow: [
          ...again,
          ...foreseen,
          ...ended.flatMap(order => giveBack(job, order, 'not accepted in time')),
        ],
      },
    )
  },

  'orders.record-delivery': async job => async tx => {
    const { orderId, shipmentId } = job.input
    const isNews = await fulfilment.endShipment(tx, { id: shipmentId, orderId, state: 'delivered' })
    return completeIfOver(tx, job, { isNews, cause: 'orders.record-delivery' })
  },

  'orders.record-shipment-return': async job => async tx => {
    const { orderId, shipmentId, lines } = job.input
    const isNews = await fulfilment.endShipment(tx, { id: shipmentId, orderId, state: 'returned' })
    // A case even if it had arrived before: the pieces are with neither the shelf nor the customer.
    const detail = { lines: gather(lines) }
    await openCases(tx, [
      { id: job.id, kind: 'shipment_returned', cause: shipmentId, orderId, detail, at: job.now },
    ])
    return completeIfOver(tx, job, { isNews, cause: 'orders.record-shipment-return' })
  },

  'orders.record-shipment-loss': async job => async tx => {
    const { orderId, shipmentId, status } = job.input
    await openCases(tx, [
      { id: job.id, kind: 'shipment_lost', cause: shipmentId, orderId, detail: { status }, at: job.now },
    ])
    return done({ orderId, state: (await mustLoad(tx, orderId)).state })
  },
})

/** What was awaiting the order's money goes out, if it is there now: an event for each. The order is held. */
export async function handOverAwaiting(tx: Tx, order: OrderRow): Promise<readonly Emitted[]> {
  if (order.state !== 'fulfilling' || order.capturedMinor < order.totalMinor) return []
  const shipments = await fulfilment.handOver(tx, order.id)
  const to = shipments.length > 0 ? await fulfilment.readDestination(tx, order.id) : null
  return shipments.flatMap(({ id, kind, lines }) => {
    if (to === null) return []
    const payload = { shipmentId: id, orderId: order.id, lines: [...lines], ...to }
    return [emit(kind === 'kitchen' ? kitchenAccepted : shipmentRequested, payload)]
  })
}

/** Hands the pieces over if their money is there; else the first of the order's shipments has it captured. */
async function startShipment(
  tx: Tx,
  job: Job,
  {
    orderId,
    kind,
    lines,
    isFirst,
  }: {
    readonly orderId: string
    readonly kind: 'parcel' | 'kitchen'
    readonly lines: readonly fulfilment.Piece[]
    readonly isFirst: boolean
  },
) {
  const order = await mustLoad(tx, orderId)
  const { state, paymentId, totalMinor, capturedMinor, paymentStatus } = order
  if (paymentStatus === 'refunded' || paymentStatus === 'disputed')
    return rejected('money_gone', { paymentStatus })
  await fulfilment.insertShipment(tx, { id: job.id, orderId, kind, lines, at: job.now })
  const output = { orderId, shipmentId: job.id, state }
  if (capturedMinor >= totalMinor)
    return done({ ...output, shipment: 'handed_over' as const }, { emit: await handOverAwaiting(tx, order) })
  if (paymentId === null) throw new Error(`order ${orderId} is ${state} without a payment`)
  const money = { paymentId, requestId: job.id, amountMinor: totalMinor - capturedMinor, isFinal: true }
  return done(
    { ...output, shipment: 'awaiting_money' as const },
    { follow: isFirst ? [follow(capture, money)] : [] },
  )
}

async function tellShipment(tx: Tx, orderId: string, shipment: fulfilment.ShipmentRow) {
  const { state } = await mustLoad(tx, orderId)
  return done({ orderId, shipmentId: shipment.id, state, shipment: shipment.state })
}

async function refuseShip(tx: Tx, job: Job<typeof ship>) {
  const { orderId } = job.input
  const refused = await refuseMove(tx, job, { orderId }, [...sourcesOf('fulfilling'), 'fulfilling'])
  if (refused.kind !== 'later') return refused
  const { acceptWithinMs } = await mustLoad(tx, orderId)
  return acceptWithinMs === null ? refused : rejected('wrong_fulfilment')
}

async function refuseAccept(tx: Tx, job: Job<typeof accept>) {
  const { orderId } = job.input
  const refused = await refuseMove(tx, job, { orderId }, sourcesOf('fulfilling'))
  if (refused.kind !== 'later') return refused
  const { acceptBy } = await mustLoad(tx, orderId)
  if (acceptBy === null) return rejected('wrong_fulfilment')
  return acceptBy <= job.now
    ? rejected('accept_deadline_passed', { acceptBy: acceptBy.toISOString() })
    : refused
}

async function refuseReject(tx: Tx, job: Job<typeof reject>) {
  const { orderId } = job.input
  const refused = await refuseMove(tx, job, { orderId }, rejectable)
  if (refused.kind !== 'later') return refused
  const { state, handedOver } = await mustLoad(tx, orderId)
  return handedOver ? rejected('order_state_conflict', { current: state, allowed: ['paid'] }) : refused
}

async function completeIfOver(
  tx: Tx,
  job: Job & { readonly input: { readonly orderId: string } },
  {
    isNews,
    cause,
  }: { readonly isNews: boolean; readonly cause: 'orders.record-delivery' | 'orders.record-shipment-return' },
) {
  const { orderId } = job.input
  const order = isNews ? await moves.markCompleted(tx, { orderId, note: noteOf(job, cause) }) : null
  if (order === null) return done({ orderId, state: (await mustLoad(tx, orderId)).state })
  return done({ orderId, state: order.state }, { emit: [emit(completed, told(order))] })
}
