import type { OrderSaga, sagaSteps } from '../../queues/cases.ts'
import type { OrderState } from '../../queues/order-states.ts'
import type { CommandName } from '../../queues/registry.ts'
import { isOver, type OrderFunds } from './domain.ts'

export interface SagaStep {
  readonly name: (typeof sagaSteps)[number]
  /** The commands that do it: the first that comes. */
  readonly do: readonly CommandName[]
  /** The commands that take it back. Empty: nothing does, and what is asked for afterwards is a return. */
  readonly undo: readonly CommandName[]
  /** Once it is done the order goes forward, unless somebody decides otherwise before anything is handed over. */
  readonly pivot?: true
}

const ends = [
  'orders.cancel',
  'orders.expire-overdue',
  'orders.reject',
  'orders.cancel-unaccepted',
  'orders.record-void',
] as const satisfies readonly CommandName[]
const confirms = ['orders.confirm-payment', 'orders.confirm-authorization'] as const

/**
 * The saga of an order, over the commands of the contract. Each command writes what follows from it with its effects, so
 * the journal is the saga's memory; this is what it adds up to.
 */
export const saga: readonly SagaStep[] = [
  { name: 'reserve', do: ['orders.place'], undo: ends },
  { name: 'authorize', do: ['payments.charge'], undo: ['payments.void', 'payments.refund'] },
  { name: 'confirm', do: confirms, undo: ends, pivot: true },
  { name: 'commit_stock', do: confirms, undo: ends },
  { name: 'capture', do: ['payments.charge', 'payments.capture'], undo: ['payments.refund'] },
  { name: 'fulfil', do: ['orders.ship', 'orders.accept'], undo: [] },
  { name: 'notify', do: ['notifications.mail-order-paid'], undo: [] },
]

/** An order as its saga sees it. */
export interface SagaOrder extends Omit<OrderFunds, 'actionPaymentId'> {
  readonly state: OrderState
  readonly totalMinor: number
  /** A charge has not been answered. */
  readonly charging: boolean
}

type Progress = Pick<OrderSaga, 'direction' | 'steps'>

/** How far an order has come, forward or back. */
export function progressOf(order: SagaOrder): Progress {
  const steps = saga.map(({ name, do: does, undo, pivot = false }) => ({
    name,
    do: [...does],
    undo: [...undo],
    pivot,
    state: isOver(order.state)
      ? stateBack(name, order)
      : isDone(name, order)
        ? ('done' as const)
        : ('waiting' as const),
  }))
  const isLeft = steps.some(({ state }) => state === 'undoing')
  return { direction: directionOf(order.state, isLeft), steps }
}

function directionOf(state: OrderState, isLeft: boolean): Progress['direction'] {
  if (isOver(state)) return isLeft ? 'back' : 'ended'
  return state === 'completed' || state === 'return_requested' || state === 'returned' ? 'ended' : 'forward'
}

function isDone(
  name: SagaStep['name'],
  { state, totalMinor, authorizedMinor, capturedMinor }: SagaOrder,
): boolean {
  const isPaid = state !== 'pending_payment' && state !== 'payment_failed'
  switch (name) {
    case 'reserve':
      return true
    case 'authorize':
      return isPaid && Math.max(authorizedMinor, capturedMinor) >= totalMinor
    case 'confirm':
    case 'commit_stock':
    case 'notify':
      return isPaid
    case 'capture':
      return isPaid && capturedMinor >= totalMinor
    case 'fulfil':
      return state === 'completed' || state === 'return_requested' || state === 'returned'
  }
}

/** Of an order that has ended only money can still be on its way: its pieces were free in the same instant. */
function stateBack(
  name: SagaStep['name'],
  { authorizedMinor, capturedMinor, refundedMinor, charging }: SagaOrder,
): 'undoing' | 'undone' {
  switch (name) {
    case 'authorize':
      return charging || (capturedMinor === 0 && authorizedMinor > 0) || capturedMinor > refundedMinor
        ? 'undoing'
        : 'undone'
    case 'capture':
      return capturedMinor > refundedMinor ? 'undoing' : 'undone'
    case 'reserve':
    case 'confirm':
    case 'commit_stock':
    case 'fulfil':
    case 'notify':
      return 'undone'
  }
}
