import {
  type ShipmentStatus,
  shipmentChanged,
  shipmentCreated,
  shipmentDelivered,
  shipmentLost,
  shipmentReturned,
} from '../../queues/fulfilment.ts'
import type { TicketState } from '../../queues/kitchen.ts'
import { type Emitted, emit } from '../../queues/outcome.ts'

/**
 * Carriers tell late, twice and out of order. So a parcel has the status of its event with the highest rank, of several
 * the one that happened last: what happens on the way follows the time, and delivered gives way to returned alone.
 */
const ranks = {
  pending: 0,
  unknown: 0,
  label_created: 1,
  in_transit: 2,
  out_for_delivery: 2,
  available_for_pickup: 2,
  attempt_failed: 2,
  exception: 2,
  lost: 2, // and may be found
  cancelled: 2,
  expired: 2, // until it is heard of
  delivered: 3,
  returned_to_sender: 4,
} as const satisfies Record<ShipmentStatus, number>
export const rankOf = (status: ShipmentStatus): number => ranks[status]

/** The carrier knows our label by this key: of our own row, the same in every repeat. */
export const labelKeyOf = (shipmentId: string): string => `shipment:${shipmentId}`

/** How long to wait before the carrier is asked again; null when the schedule has run out and a person has to look. */
export const inquiryDelayMs = (unanswered: number, scheduleMs: readonly number[]): number | null =>
  scheduleMs[unanswered - 1] ?? null

export interface Moved {
  readonly shipmentId: string
  readonly orderId: string
  readonly customerId: string
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
  readonly before: ShipmentStatus
  readonly after: ShipmentStatus
}

/** What is told of a parcel whose status may have changed: of each status as often as it comes into it. */
export function newsOf({ before, after, lines, ...shipment }: Moved): Emitted[] {
  if (before === after) return []
  const whole = { ...shipment, lines: [...lines] }
  const created = before === 'pending' ? [emit(shipmentCreated, whole)] : []
  if (after === 'label_created') return created
  const changed = emit(shipmentChanged, { ...shipment, status: after })
  switch (after) {
    case 'delivered':
      return [...created, changed, emit(shipmentDelivered, whole)]
    case 'returned_to_sender':
      return [...created, changed, emit(shipmentReturned, whole)]
    case 'lost':
    case 'expired':
      return [...created, changed, emit(shipmentLost, { ...shipment, status: after })]
    default:
      return [...created, changed]
  }
}

/** Where a ticket may go from each state. */
export const ticketTransitions = {
  accepted: ['preparing'],
  preparing: ['ready'],
  ready: ['out_for_delivery', 'picked_up'],
  out_for_delivery: ['delivered'],
  picked_up: [],
  delivered: [],
} as const satisfies Record<TicketState, readonly TicketState[]>

/** The states from which a ticket may go there. */
export const ticketSources = (to: TicketState): TicketState[] =>
  (Object.keys(ticketTransitions) as TicketState[]).filter(from =>
    (ticketTransitions[from] as readonly TicketState[]).includes(to),
  )

/** With the customer: the end of what the kitchen has to do. */
export const isHandedOver = (state: TicketState): boolean => ticketTransitions[state].length === 0
