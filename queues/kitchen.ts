// Tickets of kitchens: what a restaurant has accepted, until it is with its customer.
import { type Static, Type } from '@sinclair/typebox'
import { command } from './command.ts'
import { Address, kitchenAccepted, ShippedLines } from './fulfilment.ts'
import { retry } from './retry.ts'
import { closed, Id, Instant, oneOf, pageOf } from './schemas.ts'

export const ticketStates = [
  'accepted',
  'preparing',
  'ready',
  'out_for_delivery',
  'picked_up',
  'delivered',
] as const
export type TicketState = (typeof ticketStates)[number]
const description = 'Where the meal is; `picked_up` and `delivered` are final.'
export const TicketState = oneOf(ticketStates, description)

export const Ticket = Type.Object(
  {
    id: Id,
    orderId: Id,
    storeId: Id,
    state: TicketState,
    lines: ShippedLines,
    destination: Type.Union([Address, Type.Null()], { description: 'Null: it is picked up.' }),
    acceptedAt: Instant,
    moves: Type.Array(Type.Object({ to: TicketState, at: Instant }, closed)),
  },
  { ...closed, $id: 'Ticket' },
)
export type Ticket = Static<typeof Ticket>
export const TicketPage = pageOf(Ticket)

const stands = Type.Object({ ticketId: Id, state: TicketState }, closed)

export const openTicket = command('shipping.open-ticket', {
  summary: 'Give the kitchen a ticket for an order that the restaurant has accepted.',
  on: kitchenAccepted,
  input: kitchenAccepted.payload,
  output: stands,
  refusals: {},
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const advanceTicket = command('shipping.advance-ticket', {
  summary: 'Move a ticket on; to where it is already, it stays.',
  http: { method: 'PUT', path: '/v1/kitchen/tickets/{ticketId}/state', scope: 'shipping:write' },
  input: Type.Object(
    {
      ticketId: Id,
      to: oneOf(['preparing', 'ready', 'out_for_delivery', 'picked_up', 'delivered'], 'The next state.'),
    },
    closed,
  ),
  output: stands,
  refusals: {
    ticket_not_found: { status: 404, title: 'There is no such ticket.' },
    ticket_state_conflict: {
      status: 409,
      title: 'The ticket is in a state that does not allow this.',
      detail: Type.Object({ current: TicketState, allowed: Type.Array(TicketState) }, closed),
    },
  },
  retry: retry.standard,
  timeoutMs: 10_000,
})
