import type { Command } from '../../queues/command.ts'
import type { OrderState } from '../../queues/order-states.ts'
import type { orders } from '../../queues/orders.ts'
import {
  type FollowUp,
  follow,
  type Handlers,
  type Job,
  later,
  rejected,
  type Tx,
} from '../../queues/outcome.ts'
import { refund, voidPayment } from '../../queues/payments.ts'
import { compensationOf, type OrderFunds, sourcesOf } from './domain.ts'
import type { Note } from './history.ts'
import * as store from './store.ts'

/** What handlers of orders share, whatever they are about. */

/** How soon to look again for an order that is still to be placed. */
const lookAgainMs = (run: number): number => Math.min(50 * 2 ** run, 5_000)

export const noteOf = (job: Job, cause: keyof Handlers<typeof orders>): Note => ({
  cause,
  actorId: job.actor?.id ?? null,
  traceparent: job.traceparent,
  at: job.now,
})

export function customerOf(job: Job): string {
  if (!job.actor) throw new Error('only a person can ask for this')
  return job.actor.id
}

export const told = ({ id, customerId, totalMinor, currency }: store.OrderRow) => ({
  orderId: id,
  customerId,
  totalMinor,
  currency,
})

export async function mustLoad(tx: Tx, orderId: string): Promise<store.OrderRow> {
  const order = await store.loadOrder(tx, orderId)
  if (!order) throw new Error(`there is no order ${orderId}`)
  return order
}

/**
 * What is told of a payment may overtake the news that it pays its order: the answer that puts it off, or null if the
 * order counts the payment, or never will.
 */
export async function waitToBePaid(
  tx: Tx,
  job: Job<Command>,
  { orderId, paymentId }: { readonly orderId: string; readonly paymentId: string },
) {
  const order = await mustLoad(tx, orderId)
  const mayPay = order.paymentId !== paymentId && sourcesOf('paid').includes(order.state)
  return mayPay ? later(lookAgainMs(job.run), 'the payment is not confirmed yet') : null
}

/**
 * No row moved: there is no such order (of this customer, if it had to be), or it is in a state that does not allow the
 * move. Whoever is so quick that the order is still to be placed waits for it.
 */
export async function refuseMove(
  tx: Tx,
  job: Job<Command>,
  { orderId, ownerId }: { readonly orderId: string; readonly ownerId?: string },
  allowed: readonly OrderState[],
) {
  // First: if it is not, it can be loaded.
  const isBeingPlaced = ownerId !== undefined && (await store.isBeingPlaced(tx, orderId, ownerId))
  const order = await store.loadOrder(tx, orderId)
  if (order === null && isBeingPlaced) return later(lookAgainMs(job.run), 'the order is not placed yet')
  if (order === null || (ownerId !== undefined && order.customerId !== ownerId))
    return rejected('order_not_found')
  if (allowed.includes(order.state)) return later(0, 'the order has just moved')
  return rejected('order_state_conflict', { current: order.state, allowed: [...allowed] })
}

export const refuseMoveTo = (
  tx: Tx,
  job: Job<Command>,
  step: { readonly orderId: string; readonly ownerId: string },
  to: OrderState,
) => refuseMove(tx, job, step, sourcesOf(to))

/** What gives the customer's money back, or lets it go: nothing, if none of it is here. */
export const giveBack = (job: Job<Command>, funds: OrderFunds, reason: string): readonly FollowUp[] =>
  compensationOf(funds).map(({ undo, paymentId, amountMinor }) =>
    undo === 'payments.refund'
      ? follow(refund, { paymentId, requestId: job.id, amountMinor, reason })
      : follow(voidPayment, { paymentId, requestId: job.id, reason }),
  )
