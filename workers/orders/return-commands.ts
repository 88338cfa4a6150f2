import type { requestReturn as requestReturnCommand } from '../../queues/order-fulfilment.ts'
import type { orders } from '../../queues/orders.ts'
import { returned } from '../../queues/orders.ts'
import {
  done,
  emit,
  type FollowUp,
  follow,
  type Handlers,
  type Job,
  rejected,
  type Tx,
} from '../../queues/outcome.ts'
import { refund } from '../../queues/payments.ts'
import { sourcesOf } from './domain.ts'
import { gather, refundOf, shortOf } from './fulfilling.ts'
import { customerOf, mustLoad, noteOf, refuseMove, refuseMoveTo, told } from './handling.ts'
import * as moves from './moves.ts'
import * as returns from './returns.ts'
import { loadOrder } from './store.ts'

type ReturnHandlers = Pick<
  Handlers<typeof orders>,
  'orders.request-return' | 'orders.receive-return' | 'orders.decline-return'
>

/** `withinMs`: how long after an order was completed it can be returned. */
export const returnHandlers = ({ withinMs }: { readonly withinMs: number }): ReturnHandlers => ({
  'orders.request-return': async job => async tx => {
    const { orderId, reason } = job.input
    const step = { orderId, ownerId: customerOf(job), note: noteOf(job, 'orders.request-return') }
    if (await returns.returnExists(tx, job.id))
      return done({ orderId, returnId: job.id, state: (await mustLoad(tx, orderId)).state })
    const since = new Date(job.now.getTime() - withinMs)
    const order = await moves.markReturnRequested(tx, { ...step, since })
    if (order === null) return refuseReturn(tx, job, step, withinMs)

    const lines = gather(job.input.lines)
    const short = shortOf(lines, await returns.returnable(tx, orderId))
    if (short.length > 0) return rejected('not_returnable', { lines: short })
    if (!(await returns.claimPieces(tx, orderId, lines)))
      throw new Error(`lines of order ${orderId} changed while it was held`)
    await returns.insertReturn(tx, { id: job.id, orderId, lines, reason, at: job.now })
    return done({ orderId, returnId: job.id, state: order.state })
  },

  'orders.receive-return': async job => async tx => {
    const { orderId, lines: given } = job.input
    const note = noteOf(job, 'orders.receive-return')
    const open = await returns.holdReturn(tx, orderId)
    if (open === null) return refuseMove(tx, job, { orderId }, ['return_requested'])
    const expected = open.lines.map(({ sku }) => sku)
    if (
      given
        .map(({ sku }) => sku)
        .sort()
        .join() !== [...expected].sort().join()
    )
      return rejected('return_mismatch', { expected })

    const { totalMinor, capturedMinor, refundedMinor, paymentId } = await mustLoad(tx, orderId)
    const refundMinor = refundOf(open.lines, {
      isLast: open.isLast,
      totalMinor: Math.min(totalMinor, capturedMinor),
      refundedMinor: Math.max(open.promisedMinor, refundedMinor),
    })
    const again = new Set(given.filter(({ restock }) => restock).map(({ sku }) => sku))
    const restocked = open.lines
      .filter(({ sku }) => again.has(sku))
      .map(({ sku, quantity }) => ({ sku, quantity }))
    await returns.receiveReturn(tx, { id: open.id, orderId, refundMinor, restocked, at: job.now })
    const move = open.isLast ? moves.markReturned : moves.markReturnOver
    const order = await move(tx, { orderId, note })
    if (order === null) throw new Error(`order ${orderId} moved while it was held`)
    const money: FollowUp[] =
      refundMinor > 0 && paymentId !== null
        ? [
            follow(refund, {
              paymentId,
              requestId: job.id,
              amountMinor: refundMinor,
              reason: 'pieces returned',
            }),
          ]
        : []
    return done(
      { orderId, returnId: open.id, state: order.state, refundMinor },
      { follow: money, emit: open.isLast ? [emit(returned, told(order))] : [] },
    )
  },

  'orders.decline-return': async job => async tx => {
    const { orderId } = job.input
    const open = await returns.holdReturn(tx, orderId)
    if (open === null) return refuseMove(tx, job, { orderId }, ['return_requested'])
    await returns.declineReturn(tx, { id: open.id, orderId, at: job.now })
    const order = await moves.markReturnOver(tx, { orderId, note: noteOf(job, 'orders.decline-return') })
    if (order === null) throw new Error(`order ${orderId} moved while it was held`)
    return done({ orderId, returnId: open.id, state: order.state })
  },
})

async function refuseReturn(
  tx: Tx,
  job: Job<typeof requestReturnCommand>,
  step: { readonly orderId: string; readonly ownerId: string },
  withinMs: number,
) {
  const refused = await refuseMoveTo(tx, job, step, 'return_requested')
  if (refused.kind !== 'later') return refused
  const order = await loadOrder(tx, step.orderId) // not there yet, if it is still being placed
  if (order === null || !sourcesOf('return_requested').includes(order.state)) return refused
  const until = new Date((order.completedAt ?? job.now).getTime() + withinMs)
  return until <= job.now ? rejected('return_window_closed', { until: until.toISOString() }) : refused
}
