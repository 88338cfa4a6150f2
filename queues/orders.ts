import { type Static, Type } from '@sinclair/typebox'
import { command, event, service } from './command.ts'
import { captured, declined, PaymentMethod, refunded } from './payments.ts'
import { retry } from './retry.ts'
import { AmountMinor, Currency, closed, Id, Instant, oneOf, pageOf, Quantity, Sku } from './schemas.ts'

/** Where an order stands. Payment is a second axis, `paymentStatus`. */
export const orderStates = ['pending_payment', 'payment_failed', 'paid', 'cancelled', 'expired'] as const
export type OrderState = (typeof orderStates)[number]
const State = oneOf(orderStates, 'Where the order stands; `cancelled` and `expired` are final.')
export const paymentStates = ['none', 'captured', 'partially_refunded', 'refunded'] as const
export type PaymentState = (typeof paymentStates)[number]

const OrderLine = Type.Object(
  {
    sku: Sku,
    title: Type.String({ description: 'As it was when the order was placed, like the price.' }),
    quantity: Type.Integer({ minimum: 1, description: 'Pieces; lines with the same SKU are one.' }),
    unitPriceMinor: AmountMinor,
    totalMinor: AmountMinor,
  },
  closed,
)
export const Order = Type.Object(
  {
    id: Id,
    state: State,
    paymentStatus: oneOf(paymentStates, 'Where its money is.'),
    lines: Type.Array(OrderLine),
    totalMinor: AmountMinor,
    currency: Currency,
    placedAt: Instant,
    expiresAt: Instant,
    history: Type.Array(
      Type.Object(
        {
          from: Type.Union([State, Type.Null()]),
          to: State,
          cause: Type.String({ description: 'The command that moved it.' }),
          at: Instant,
        },
        closed,
      ),
    ),
  },
  { ...closed, $id: 'Order' },
)
export type Order = Static<typeof Order>
export const OrderSummary = Type.Omit(Order, ['lines', 'history'], { ...closed, $id: 'OrderSummary' })
export type OrderSummary = Static<typeof OrderSummary>
export const OrderPage = pageOf(OrderSummary)

const orderNotFound = { status: 404, title: 'There is no such order.' } as const
const stateConflict = {
  status: 409,
  title: 'The order is in a state that does not allow this.',
  detail: Type.Object({ current: State, allowed: Type.Array(State) }, closed),
} as const
const Nothing = Type.Object({}, closed)
const moved = Type.Object({ orderId: Id, state: State }, closed)

export const place = command('orders.place', {
  summary: 'Reserve the pieces, fix the prices and charge the customer.',
  http: { method: 'POST', path: '/v1/orders', scope: 'orders:write' },
  input: Type.Object(
    {
      lines: Type.Array(Type.Object({ sku: Sku, quantity: Quantity }, closed), {
        minItems: 1,
        maxItems: 100,
        description: 'Lines with the same SKU count together.',
      }),
      paymentMethod: PaymentMethod,
    },
    closed,
  ),
  output: Type.Object({ orderId: Id, state: State, totalMinor: AmountMinor, currency: Currency }, closed),
  refusals: {
    unknown_product: {
      status: 422,
      title: 'A line names a product that is not sold here.',
      detail: Type.Object({ skus: Type.Array(Sku) }, closed),
    },
    out_of_stock: {
      status: 409,
      title: 'Not enough pieces are left.',
      detail: Type.Object(
        {
          shortages: Type.Array(
            Type.Object({ sku: Sku, requested: Type.Integer(), available: Type.Integer() }),
          ),
        },
        closed,
      ),
    },
    mixed_currencies: {
      status: 422,
      title: 'The products are priced in more than one currency.',
      detail: Type.Object({ currencies: Type.Array(Currency) }, closed),
    },
    total_too_large: { status: 422, title: 'The total is more than an amount of money can hold.' },
  },
  retry: retry.standard,
  timeoutMs: 10_000,
  sharesTransaction: true,
})

export const pay = command('orders.pay', {
  summary: 'Try again to pay an order whose payment failed.',
  http: { method: 'POST', path: '/v1/orders/{orderId}/payments', scope: 'orders:write' },
  input: Type.Object({ orderId: Id, paymentMethod: PaymentMethod }, closed),
  output: moved,
  refusals: { order_not_found: orderNotFound, order_state_conflict: stateConflict },
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const cancel = command('orders.cancel', {
  summary: 'Cancel an order: pieces go back to stock, money goes back to the customer.',
  http: { method: 'POST', path: '/v1/orders/{orderId}/cancel', scope: 'orders:write' },
  input: Type.Object({ orderId: Id, reason: Type.Optional(Type.String({ maxLength: 200 })) }, closed),
  output: moved,
  refusals: { order_not_found: orderNotFound, order_state_conflict: stateConflict },
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const confirmPayment = command('orders.confirm-payment', {
  summary: 'Mark the order paid and its pieces sold; money that comes too late is sent back.',
  on: captured,
  input: captured.payload,
  output: moved,
  refusals: {},
  retry: retry.standard,
  timeoutMs: 10_000,
  sharesTransaction: true,
})

export const failPayment = command('orders.fail-payment', {
  summary: 'Note the declined charge; the pieces stay reserved until the order expires.',
  on: declined,
  input: declined.payload,
  output: moved,
  refusals: {},
  retry: retry.standard,
  timeoutMs: 10_000,
  sharesTransaction: true,
})

export const recordRefund = command('orders.record-refund', {
  summary: 'Note on the order that its money went back.',
  on: refunded,
  input: refunded.payload,
  output: moved,
  refusals: {},
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const expireOverdue = command('orders.expire-overdue', {
  summary: 'Expire unpaid orders whose time is up and give their pieces back.',
  everyMs: 15_000,
  input: Nothing,
  output: Type.Object({ expired: Type.Integer({ minimum: 0 }) }, closed),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})

const told = Type.Object({ orderId: Id, customerId: Id, totalMinor: AmountMinor, currency: Currency }, closed)
export const placed = event('order.placed', {
  summary: 'An order was placed and awaits its payment.',
  payload: told,
})
export const paid = event('order.paid', { summary: 'An order is paid.', payload: told })
export const paymentFailed = event('order.payment-failed', {
  summary: 'The charge for an order was declined.',
  payload: told,
})
export const cancelled = event('order.cancelled', { summary: 'An order was cancelled.', payload: told })
export const expired = event('order.expired', { summary: 'An unpaid order ran out of time.', payload: told })

export const orders = service('orders', {
  summary: 'Orders, from the basket to paid, cancelled or expired.',
  commands: [place, pay, cancel, confirmPayment, failPayment, recordRefund, expireOverdue],
  events: [placed, paid, paymentFailed, cancelled, expired],
  concurrency: 50,
  lockMs: 10_000,
})
