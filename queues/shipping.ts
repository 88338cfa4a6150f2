import { Type } from '@sinclair/typebox'
import { command, event, service } from './command.ts'
import { retry } from './retry.ts'
import { closed, Id, oneOf, Quantity, Sku } from './schemas.ts'

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

const Pieces = Type.Array(Type.Object({ sku: Sku, quantity: Quantity }, closed), {
  minItems: 1,
  maxItems: 100,
  description: 'What is in it.',
})
const shipment = {
  shipmentId: Type.Unsafe<string>({ ...Id, description: 'The shipment, or the ticket of a kitchen.' }),
  orderId: Id,
  customerId: Id,
}

export const forgetRates = command('shipping.forget-rates', {
  summary: 'Delete rates that expired a day ago or earlier, some at a time.',
  everyMs: 60_000,
  input: Type.Object({}, closed),
  output: Type.Object({ rates: Type.Integer({ minimum: 0, description: 'How many were deleted.' }) }, closed),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})

export const shipmentCreated = event('shipment.created', {
  summary: 'A shipment has its label and waits for its carrier.',
  payload: Type.Object({ ...shipment, lines: Pieces }, closed),
})
export const shipmentChanged = event('shipment.changed', {
  summary: 'A shipment has another status; told of every one but the first.',
  payload: Type.Object({ ...shipment, status: ShipmentStatus }, closed),
})
export const shipmentDelivered = event('shipment.delivered', {
  summary: 'All pieces of a shipment are with the customer: delivered, or picked up.',
  payload: Type.Object({ ...shipment, lines: Pieces }, closed),
})
export const shipmentReturned = event('shipment.returned', {
  summary: 'A shipment went back to its sender.',
  payload: Type.Object({ ...shipment, lines: Pieces }, closed),
})

export const shipping = service('shipping', {
  summary:
    'What it costs to send a basket somewhere, parcels and their tracking, and the tickets of kitchens.',
  commands: [forgetRates],
  events: [shipmentCreated, shipmentChanged, shipmentDelivered, shipmentReturned],
  concurrency: 20,
  lockMs: 10_000,
})
