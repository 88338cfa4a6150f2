// Orders from paid to delivered, and back.
import { Type } from '@sinclair/typebox'
import { command } from './command.ts'
import { ShipmentId, shipmentDelivered, shipmentLost, shipmentReturned } from './fulfilment.ts'
import { moved, orderNotFound, Pieces, State, stateConflict } from './order-states.ts'
import { retry } from './retry.ts'
import { AmountMinor, closed, Id, Instant, lineOfText, oneOf, Quantity, Sku } from './schemas.ts'

const rules = { retry: retry.standard, timeoutMs: 10_000 } as const
const refusals = { order_not_found: orderNotFound, order_state_conflict: stateConflict } as const

export const shipmentStates = ['awaiting_money', 'handed_over', 'delivered', 'returned', 'cancelled'] as const
const lines = Type.Array(Type.Object({ sku: Sku, quantity: Quantity }, closed), {
  description: 'What is in it.',
})
export const OrderShipment = Type.Object(
  {
    id: ShipmentId,
    kind: oneOf(['parcel', 'kitchen'], 'A parcel, or the ticket of a kitchen.'),
    state: oneOf(shipmentStates, '`awaiting_money`: what was set aside is being captured first.'),
    lines,
    createdAt: Instant,
  },
  closed,
)
export const OrderReturn = Type.Object(
  {
    id: Id,
    state: oneOf(['requested', 'received', 'declined'], 'Whether the merchant has it back.'),
    reason: Type.String({ description: 'As the customer gave it.' }),
    lines,
    refundMinor: AmountMinor,
    requestedAt: Instant,
    decidedAt: Type.Union([Instant, Type.Null()]),
  },
  closed,
)

const fulfilledBy = {
  wrong_fulfilment: {
    status: 409,
    title: 'The order is one that a kitchen accepts, and this is for parcels, or the other way round.',
  },
  money_gone: {
    status: 409,
    title: 'Its money went back, or is disputed: nothing is given away for it, and it can be rejected.',
    detail: Type.Object({ paymentStatus: oneOf(['refunded', 'disputed'], 'Where the money is.') }, closed),
  },
} as const
const shipmentAnswer = Type.Object(
  { orderId: Id, shipmentId: Id, state: State, shipment: OrderShipment.properties.state },
  closed,
)

export const ship = command('orders.ship', {
  summary: 'Send pieces of a paid order; money that is only set aside is captured first.',
  http: { method: 'POST', path: '/v1/orders/{orderId}/shipments', scope: 'orders:fulfil' },
  input: Type.Object(
    {
      orderId: Id,
      lines: Type.Optional(
        Type.Unsafe<(typeof Pieces)['static']>({
          ...Pieces,
          description: 'What to send; all that is left, if absent.',
        }),
      ),
    },
    closed,
  ),
  output: shipmentAnswer,
  refusals: {
    ...refusals,
    ...fulfilledBy,
    not_left: {
      status: 409,
      title: 'The order has not that many pieces left to send.',
      detail: Type.Object(
        {
          lines: Type.Array(
            Type.Object({ sku: Sku, requested: Type.Integer(), left: Type.Integer() }, closed),
          ),
        },
        closed,
      ),
    },
  },
  ...rules,
})

export const accept = command('orders.accept', {
  summary: 'Accept a paid order in the kitchen; money that is only set aside is captured first.',
  http: { method: 'POST', path: '/v1/orders/{orderId}/accept', scope: 'orders:fulfil' },
  input: Type.Object({ orderId: Id }, closed),
  output: shipmentAnswer,
  refusals: {
    ...refusals,
    ...fulfilledBy,
    accept_deadline_passed: {
      status: 409,
      title: 'The order was not accepted in time, and is being cancelled.',
      detail: Type.Object({ acceptBy: Instant }, closed),
    },
  },
  ...rules,
})

export const reject = command('orders.reject', {
  summary: 'Cancel a paid order as the merchant, as long as nothing was handed over; the money goes back.',
  http: { method: 'POST', path: '/v1/orders/{orderId}/reject', scope: 'orders:fulfil' },
  input: Type.Object({ orderId: Id, reason: lineOfText(200, 'Why; shown to the customer.') }, closed),
  output: moved,
  refusals,
  ...rules,
})

export const cancelUnaccepted = command('orders.cancel-unaccepted', {
  summary: 'Cancel orders that no kitchen accepted in time; the money goes back.',
  everyMs: 15_000,
  input: Type.Object({ foreseen: Type.Optional(Type.Boolean()) }, closed),
  output: Type.Object({ cancelled: Type.Integer({ minimum: 0 }) }, closed),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})

export const recordDelivery = command('orders.record-delivery', {
  summary: 'Note that a shipment has arrived; the order is completed with its last.',
  on: shipmentDelivered,
  input: shipmentDelivered.payload,
  output: moved,
  refusals: {},
  ...rules,
})

export const recordShipmentReturn = command('orders.record-shipment-return', {
  summary: 'Note that a shipment went back to its sender, and open a case.',
  on: shipmentReturned,
  input: shipmentReturned.payload,
  output: moved,
  refusals: {},
  ...rules,
})

export const recordShipmentLoss = command('orders.record-shipment-loss', {
  summary: 'Note that nobody knows where a shipment is, and open a case.',
  on: shipmentLost,
  input: shipmentLost.payload,
  output: moved,
  refusals: {},
  ...rules,
})

export const requestReturn = command('orders.request-return', {
  summary: 'Ask to give pieces of a completed order back, within the days that the shop allows.',
  http: { method: 'POST', path: '/v1/orders/{orderId}/returns', scope: 'orders:write' },
  input: Type.Object({ orderId: Id, lines: Pieces, reason: lineOfText(200, 'Why.') }, closed),
  output: Type.Object({ orderId: Id, returnId: Id, state: State }, closed),
  refusals: {
    ...refusals,
    return_window_closed: {
      status: 409,
      title: 'It is too late to return this order.',
      detail: Type.Object({ until: Instant }, closed),
    },
    not_returnable: {
      status: 409,
      title: 'The order has not that many pieces that were not returned yet.',
      detail: Type.Object(
        {
          lines: Type.Array(
            Type.Object({ sku: Sku, requested: Type.Integer(), left: Type.Integer() }, closed),
          ),
        },
        closed,
      ),
    },
  },
  ...rules,
})

export const receiveReturn = command('orders.receive-return', {
  summary: 'Note that returned pieces are back: the customer gets their share of the money.',
  http: { method: 'POST', path: '/v1/orders/{orderId}/returns/receive', scope: 'orders:fulfil' },
  input: Type.Object(
    {
      orderId: Id,
      lines: Type.Array(
        Type.Object(
          { sku: Sku, restock: Type.Boolean({ description: 'Whether these pieces can be sold again.' }) },
          closed,
        ),
        { minItems: 1, maxItems: 100, description: 'Every line of the return, each once.' },
      ),
    },
    closed,
  ),
  output: Type.Object({ orderId: Id, returnId: Id, state: State, refundMinor: AmountMinor }, closed),
  refusals: {
    ...refusals,
    return_mismatch: {
      status: 422,
      title: 'These are not the lines of the return.',
      detail: Type.Object({ expected: Type.Array(Sku) }, closed),
    },
  },
  ...rules,
})

export const declineReturn = command('orders.decline-return', {
  summary: 'Refuse a return; the order is completed as before.',
  http: { method: 'POST', path: '/v1/orders/{orderId}/returns/decline', scope: 'orders:fulfil' },
  input: Type.Object({ orderId: Id, reason: lineOfText(200, 'Why.') }, closed),
  output: Type.Object({ orderId: Id, returnId: Id, state: State }, closed),
  refusals,
  ...rules,
})
