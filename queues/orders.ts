import { Type } from '@sinclair/typebox'
import { findStuck, resolveCase } from './cases.ts'
import { priceChanged } from './catalog.ts'
import { command, event, service } from './command.ts'
import { createDiscount, endDiscount } from './discounts.ts'
import { kitchenAccepted, shipmentRequested } from './fulfilment.ts'
import {
  accept,
  cancelUnaccepted,
  declineReturn,
  receiveReturn,
  recordDelivery,
  recordShipmentLoss,
  recordShipmentReturn,
  reject,
  requestReturn,
  ship,
} from './order-fulfilment.ts'
import {
  awaitAction,
  confirmAuthorization,
  recordDispute,
  recordDisputeEnd,
  recordRefundFailure,
  recordVoid,
} from './order-funds.ts'
import { extras, unpriced } from './order-money.ts'
import { moved, orderNotFound, State, stateConflict } from './order-states.ts'
import { quoted, quoteLine } from './order-views.ts'
import { captured, declined, refunded } from './payment-events.ts'
import { PaymentMethod } from './payments.ts'
import { retry } from './retry.ts'
import { AmountMinor, Currency, closed, exactlyOneOf, Id, Instant, Quantity, Sku } from './schemas.ts'

const Lines = Type.Array(Type.Object({ sku: Sku, quantity: Quantity }, closed), {
  minItems: 1,
  maxItems: 100,
  description: 'Lines with the same SKU count together.',
})

export const quote = command('orders.quote', {
  summary: 'Say what lines cost, for an order at these prices within 15 minutes; nothing is reserved.',
  http: { method: 'POST', path: '/v1/quotes', scope: 'orders:write' },
  input: Type.Object({ lines: Lines, ...extras }, closed),
  output: Type.Object(
    {
      quoteId: Id,
      lines: Type.Array(
        Type.Object(
          {
            ...quoteLine,
            inStock: Type.Boolean({ description: 'That many could be sold when the quote was made.' }),
          },
          closed,
        ),
      ),
      ...quoted,
      token: Type.String({ description: 'Signed; give it as `quote` to place the order.' }),
    },
    closed,
  ),
  refusals: unpriced,
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const place = command('orders.place', {
  summary: 'Reserve the pieces, fix the prices and charge the customer.',
  http: { method: 'POST', path: '/v1/orders', scope: 'orders:write' },
  input: exactlyOneOf(
    ['lines', 'quote'],
    Type.Object(
      {
        lines: Type.Optional(Lines),
        ...extras,
        quote: Type.Optional(
          Type.String({
            minLength: 1,
            maxLength: 1_000,
            description:
              'Token of a quote: the order has its lines at its prices, with its discount and shipping. Instead of `lines`.',
          }),
        ),
        paymentMethod: PaymentMethod,
      },
      closed,
    ),
  ),
  output: Type.Object({ orderId: Id, state: State, totalMinor: AmountMinor, currency: Currency }, closed),
  refusals: {
    ...unpriced,
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
    store_closed: {
      status: 409,
      title: 'The store takes no orders now.',
      detail: Type.Object(
        {
          opensAt: Type.Union([Instant, Type.Null()], {
            description: 'When it opens next; null if nobody knows.',
          }),
        },
        closed,
      ),
    },
    terms_in_quote: {
      status: 422,
      title: 'A quote has its discount and shipping in it: give these fields when you ask for the quote.',
      detail: Type.Object({ fields: Type.Array(Type.String()) }, closed),
    },
    quote_invalid: { status: 422, title: 'This is no quote of yours.' },
    quote_expired: { status: 410, title: 'The quote has expired: ask for a new one.' },
    quote_used: {
      status: 409,
      title: 'An order was placed from this quote before.',
      detail: Type.Object({ orderId: Id }, closed),
    },
    price_changed: {
      status: 409,
      title: 'A price, a tax or the discount has changed since the quote was made: ask for a new one.',
      detail: Type.Object({ totalMinor: AmountMinor, currency: Currency }, closed), // of now
    },
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
  summary: 'Cancel an order that is not being fulfilled: pieces go back to stock, money goes back.',
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
  input: Type.Object(
    {
      foreseen: Type.Optional(
        Type.Boolean({
          description: 'Asked for by an earlier run, for this moment; it does not look ahead again.',
        }),
      ),
    },
    closed,
  ),
  output: Type.Object({ expired: Type.Integer({ minimum: 0 }) }, closed),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})

export const markQuotesStale = command('orders.mark-quotes-stale', {
  summary: 'Mark the open quotes that were made at another price of the product.',
  on: priceChanged,
  input: priceChanged.payload,
  output: Type.Object({ lines: Type.Integer({ minimum: 0, description: 'Of quotes, marked.' }) }, closed),
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
export const completed = event('order.completed', {
  summary: 'All pieces of an order are with the customer.',
  payload: told,
})
export const returned = event('order.returned', {
  summary: 'All pieces of an order came back.',
  payload: told,
})

export const orders = service('orders', {
  summary: 'Orders, from the basket to the last parcel, and back.',
  commands: [
    quote,
    place,
    pay,
    cancel,
    confirmPayment,
    failPayment,
    recordRefund,
    expireOverdue,
    markQuotesStale,
    confirmAuthorization,
    awaitAction,
    recordVoid,
    recordRefundFailure,
    recordDispute,
    recordDisputeEnd,
    ship,
    accept,
    reject,
    cancelUnaccepted,
    recordDelivery,
    recordShipmentLoss,
    recordShipmentReturn,
    requestReturn,
    receiveReturn,
    declineReturn,
    findStuck,
    resolveCase,
    createDiscount,
    endDiscount,
  ],
  events: [
    placed,
    paid,
    paymentFailed,
    cancelled,
    expired,
    completed,
    returned,
    shipmentRequested,
    kitchenAccepted,
  ],
  concurrency: 50,
  lockMs: 10_000,
})
