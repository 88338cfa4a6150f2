// What is read of orders and quotes.
import { type Static, Type } from '@sinclair/typebox'
import { OrderReturn, OrderShipment } from './order-fulfilment.ts'
import { NextAction } from './order-funds.ts'
import { breakdown, pricedLine, sums } from './order-money.ts'
import { PaymentStateField, State } from './order-states.ts'
import { closed, Id, Instant, oneOf, pageOf } from './schemas.ts'

const OrderLine = Type.Object(pricedLine('the order was placed'), closed)
export const Order = Type.Object(
  {
    id: Id,
    state: State,
    paymentStatus: PaymentStateField,
    lines: Type.Array(OrderLine),
    ...sums,
    ...breakdown,
    placedAt: Instant,
    expiresAt: Instant,
    acceptBy: Type.Union([Instant, Type.Null()], {
      description:
        'Paid, and not accepted by its kitchen by then, it is cancelled; null: there is no kitchen.',
    }),
    nextAction: NextAction,
    shipments: Type.Array(OrderShipment, {
      description: 'Parcels and kitchen tickets, the first one first.',
    }),
    returns: Type.Array(OrderReturn, {
      description: 'What was asked to be given back, the first one first.',
    }),
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
export const OrderSummary = Type.Omit(
  Order,
  ['lines', 'taxes', 'shipping', 'shipments', 'returns', 'history'],
  {
    ...closed,
    $id: 'OrderSummary',
  },
)
export type OrderSummary = Static<typeof OrderSummary>
export const OrderPage = pageOf(OrderSummary)

export const quoteLine = pricedLine('the quote was made')
export const quoted = {
  ...sums,
  ...breakdown,
  priceVersion: Type.String({
    description: 'Stands for the unit prices that it was made of: equal prices, equal version.',
  }),
  expiresAt: Instant,
}
export const Quote = Type.Object(
  {
    id: Id,
    state: oneOf(
      ['open', 'stale', 'used', 'expired'],
      '`stale`: a product in it has had another price since; an order from it is refused while it has.',
    ),
    lines: Type.Array(Type.Object(quoteLine, closed)),
    ...quoted,
    quotedAt: Instant,
    orderId: Type.Union([Id, Type.Null()], { description: 'The order that used it.' }),
  },
  { ...closed, $id: 'Quote' },
)
export type Quote = Static<typeof Quote>
