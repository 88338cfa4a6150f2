import { Type } from '@sinclair/typebox'
import { closed, Id, oneOf, Quantity, Sku } from './schemas.ts'

/** Where an order stands. Its money is a second axis, `paymentStatus`; its shipments are a third. */
export const orderStates = [
  'pending_payment',
  'payment_failed',
  'paid',
  'fulfilling',
  'completed',
  'return_requested',
  'returned',
  'cancelled',
  'expired',
] as const
export type OrderState = (typeof orderStates)[number]
export const State = oneOf(
  orderStates,
  'Where the order stands. `paid`: its money is captured or set aside; `cancelled`, `expired` and `returned` are final.',
)

/** Where a store has something to do: each is a list of its own. */
export const ToDo = oneOf(
  ['paid', 'fulfilling', 'return_requested'],
  'What is to be sent or accepted, what is on its way, and what is to come back.',
)

export const paymentStates = [
  'none',
  'authorized',
  'partially_captured',
  'captured',
  'partially_refunded',
  'refunded',
  'disputed',
] as const
export type PaymentState = (typeof paymentStates)[number]
export const PaymentStateField = oneOf(paymentStates, 'Where its money is.')

export const orderNotFound = { status: 404, title: 'There is no such order.' } as const
export const stateConflict = {
  status: 409,
  title: 'The order is in a state that does not allow this.',
  detail: Type.Object({ current: State, allowed: Type.Array(State) }, closed),
} as const

/** What a command answers that moved an order, or found that another had. */
export const moved = Type.Object({ orderId: Id, state: State }, closed)

/** Pieces of an order's lines, each SKU once. */
export const Pieces = Type.Array(Type.Object({ sku: Sku, quantity: Quantity }, closed), {
  minItems: 1,
  maxItems: 100,
  description: 'Lines with the same SKU count together.',
})
