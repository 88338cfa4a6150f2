// What orders and shipping tell each other, in a file of its own: each of the two subscribes to events of the other.
import { type Static, Type } from '@sinclair/typebox'
import { event } from './command.ts'
import { closed, Id, lineOfText, oneOf, Quantity, Sku } from './schemas.ts'

/** Where a parcel goes. */
export const Address = Type.Object(
  {
    name: lineOfText(100, 'Who receives it.'),
    line1: lineOfText(100, 'Street and number.'),
    line2: Type.Optional(lineOfText(100, 'Flat, floor, company.')),
    city: lineOfText(100, 'Town.'),
    region: Type.Optional(lineOfText(60, 'State or province, where addresses have one.')),
    postalCode: Type.Optional(lineOfText(16, 'Postal code, where there is one.')),
    country: Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2 code, such as DE.' }),
  },
  { ...closed, $id: 'Address' },
)
export type Address = Static<typeof Address>

/** What is in a shipment or on a ticket: SKUs are there once. */
export const ShippedLines = Type.Array(Type.Object({ sku: Sku, quantity: Quantity }, closed), {
  minItems: 1,
  maxItems: 100,
  description: 'What is in it.',
})
export const ShipmentId = Type.Unsafe<string>({
  ...Id,
  description: 'The command that called for it: its shipment, or the ticket of its kitchen.',
})
export const Carrier = Type.String({
  pattern: '^[a-z][a-z0-9-]{0,31}$',
  description: 'A carrier by its name in the settings, such as `manual`.',
})

const fulfilment = Type.Object(
  {
    shipmentId: ShipmentId,
    orderId: Id,
    storeId: Id,
    customerId: Id,
    lines: ShippedLines,
    destination: Type.Union([Address, Type.Null()], {
      description: 'Null: the order was placed without a rate.',
    }),
    rate: Type.Union([
      Type.Object(
        {
          rateId: Id,
          carrier: Carrier,
          service: Type.String({ description: 'As the rate calls it.' }),
        },
        closed,
      ),
      Type.Null(),
    ]),
  },
  closed,
)
export const shipmentRequested = event('order.shipment-requested', {
  summary: 'Pieces of a paid order are to be sent; their money is there.',
  payload: fulfilment,
})
export const kitchenAccepted = event('order.kitchen-accepted', {
  summary: 'A restaurant has accepted an order; its money is there.',
  payload: fulfilment,
})

/** Where a shipment stands, by its carrier's tracking. */
export const shipmentStatuses = [
  'pending',
  'label_created',
  'in_transit',
  'out_for_delivery',
  'available_for_pickup',
  'attempt_failed',
  'exception',
  'delivered',
  'returned_to_sender',
  'lost',
  'cancelled',
  'expired',
  'unknown',
] as const
export type ShipmentStatus = (typeof shipmentStatuses)[number]
export const ShipmentStatus = oneOf(
  shipmentStatuses,
  'Where the parcel is: `pending` until its label is bought, `expired` after thirty days without a scan.',
)

const shipment = { shipmentId: ShipmentId, orderId: Id, customerId: Id }
export const shipmentCreated = event('shipment.created', {
  summary: 'A shipment has its label and waits for its carrier.',
  payload: Type.Object({ ...shipment, lines: ShippedLines }, closed),
})
export const shipmentChanged = event('shipment.changed', {
  summary: 'A shipment has another status; told of every one but the first.',
  payload: Type.Object({ ...shipment, status: ShipmentStatus }, closed),
})
export const shipmentDelivered = event('shipment.delivered', {
  summary: 'All pieces of a shipment are with the customer: delivered, or picked up.',
  payload: Type.Object({ ...shipment, lines: ShippedLines }, closed),
})
export const shipmentReturned = event('shipment.returned', {
  summary: 'A shipment went back to its sender.',
  payload: Type.Object({ ...shipment, lines: ShippedLines }, closed),
})
export const shipmentLost = event('shipment.lost', {
  summary: 'The carrier has lost a shipment, or nothing was heard of it for thirty days; it may be found.',
  payload: Type.Object(
    { ...shipment, status: oneOf(['lost', 'expired'], 'Lost, or not heard of for thirty days.') },
    closed,
  ),
})
