// Parcels: their labels, and what their carriers say of them.
import { type Static, Type } from '@sinclair/typebox'
import { command } from './command.ts'
import { Address, Carrier, ShipmentStatus, ShippedLines, shipmentRequested } from './fulfilment.ts'
import { retry } from './retry.ts'
import { closed, Id, Instant, lineOfText, oneOf } from './schemas.ts'

const TrackingNumber = Type.String({ description: 'What the carrier calls the parcel.' })
const TrackingUrl = Type.String({ description: 'Where everybody can see where it is.' })
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()])

export const Shipment = Type.Object(
  {
    id: Id,
    orderId: Id,
    storeId: Id,
    carrier: Carrier,
    service: Type.String({ description: 'As its rate calls it.' }),
    status: ShipmentStatus,
    lines: ShippedLines,
    destination: orNull(Address),
    trackingNumber: orNull(TrackingNumber),
    trackingUrl: orNull(TrackingUrl),
    label: Type.Union(
      [
        Type.Object(
          {
            format: oneOf(['pdf', 'zpl', 'url'], 'What `data` is.'),
            data: Type.String({ description: 'The label: in base64, or its address.' }),
          },
          closed,
        ),
        Type.Null(),
      ],
      { description: 'To be printed. Null if there is none, and for customers.' },
    ),
    labelRefusal: orNull(
      Type.String({
        description: 'Why the carrier of the rate sold no label; the parcel is then sent by hand.',
      }),
    ),
    boughtAt: orNull(Instant),
    createdAt: Instant,
    events: Type.Array(
      Type.Object(
        {
          status: ShipmentStatus,
          occurredAt: Instant,
          source: Type.String({ description: 'Who said so: a carrier, `merchant`, `label` or `clock`.' }),
          note: orNull(Type.String()),
        },
        closed,
      ),
      { description: 'Everything that was ever said of it, in the order in which it happened.' },
    ),
  },
  { ...closed, $id: 'Shipment' },
)
export type Shipment = Static<typeof Shipment>
export const ShipmentList = Type.Object(
  { items: Type.Array(Shipment, { description: 'The oldest first.' }) },
  { ...closed, $id: 'ShipmentList' },
)

const stands = Type.Object({ shipmentId: Id, status: ShipmentStatus }, closed)
const shipmentNotFound = { status: 404, title: 'There is no such shipment.' } as const
const stateConflict = {
  status: 409,
  title: 'The shipment is in a status that does not allow this.',
  detail: Type.Object({ current: ShipmentStatus }, closed),
} as const

export const createShipment = command('shipping.create-shipment', {
  summary:
    'Buy the label for pieces that are to be sent, once, whatever the carrier answers or fails to answer.',
  on: shipmentRequested,
  input: shipmentRequested.payload,
  output: stands,
  refusals: {},
  retry: retry.remote,
  timeoutMs: 30_000,
})

/** What a merchant may have seen happen to a parcel. */
export const reportedStatuses = [
  'in_transit',
  'out_for_delivery',
  'available_for_pickup',
  'attempt_failed',
  'exception',
  'delivered',
  'returned_to_sender',
  'lost',
] as const

export const recordTracking = command('shipping.record-tracking', {
  summary: 'Say what happened to a parcel, and type in its number if the merchant took it to the carrier.',
  http: { method: 'POST', path: '/v1/shipments/{shipmentId}/events', scope: 'shipping:write' },
  input: Type.Object(
    {
      shipmentId: Id,
      status: oneOf(reportedStatuses, 'What happened.'),
      occurredAt: Instant,
      eventId: Type.Optional(
        lineOfText(100, 'Told twice under one, it is one event; the command itself, unless said.'),
      ),
      note: Type.Optional(lineOfText(300, 'For whoever reads the events of the parcel.')),
      trackingNumber: Type.Optional(lineOfText(100, 'What the carrier calls the parcel.')),
      trackingUrl: Type.Optional(
        Type.String({
          pattern: '^https://[^\\s\\u0000-\\u001f]+$',
          maxLength: 500,
          description: 'Where everybody can see where it is.',
        }),
      ),
    },
    closed,
  ),
  output: stands,
  refusals: {
    shipment_not_found: shipmentNotFound,
    shipment_state_conflict: stateConflict,
    tracking_given: { status: 409, title: 'The carrier has given the parcel its number.' },
    occurred_in_future: { status: 422, title: '`occurredAt` is in the future.' },
  },
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const cancelShipment = command('shipping.cancel-shipment', {
  summary: 'Give the label of a parcel back, before the carrier has it.',
  http: { method: 'POST', path: '/v1/shipments/{shipmentId}/cancel', scope: 'shipping:write' },
  input: Type.Object(
    { shipmentId: Id, reason: Type.Optional(lineOfText(300, 'For whoever reads the events of the parcel.')) },
    closed,
  ),
  output: stands,
  refusals: {
    shipment_not_found: shipmentNotFound,
    shipment_state_conflict: stateConflict,
    carrier_refused: {
      status: 409,
      title: 'The carrier does not take the label back.',
      detail: Type.Object({ because: Type.String() }, closed),
    },
  },
  retry: retry.remote,
  timeoutMs: 30_000,
})

export const trackShipment = command('shipping.track-shipment', {
  summary: 'Ask the carrier what happened to a parcel, and note what is new.',
  input: Type.Object({ shipmentId: Id }, closed),
  output: stands,
  refusals: { shipment_not_found: shipmentNotFound },
  retry: retry.remote,
  timeoutMs: 30_000,
})

export const trackOverdue = command('shipping.track-overdue', {
  summary: 'Ask for parcels that their carriers have not spoken of for hours: a webhook may be lost.',
  everyMs: 60_000,
  input: Type.Object({}, closed),
  output: Type.Object(
    { shipments: Type.Integer({ minimum: 0, description: 'How many are asked for.' }) },
    closed,
  ),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})

export const forgetHints = command('shipping.forget-hints', {
  summary: 'Delete webhooks of carriers that came thirty days ago or earlier, some at a time.',
  everyMs: 600_000,
  input: Type.Object({}, closed),
  output: Type.Object({ hints: Type.Integer({ minimum: 0, description: 'How many were deleted.' }) }, closed),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})

export const expireSilent = command('shipping.expire-silent', {
  summary: 'Mark parcels expired of which nothing was heard for thirty days, some at a time.',
  everyMs: 600_000,
  input: Type.Object({}, closed),
  output: Type.Object({ shipments: Type.Integer({ minimum: 0, description: 'How many.' }) }, closed),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})
