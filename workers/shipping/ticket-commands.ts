import { shipmentDelivered } from '../../queues/fulfilment.ts'
import { done, emit, type Handlers, rejected } from '../../queues/outcome.ts'
import type { shipping } from '../../queues/shipping.ts'
import { isHandedOver, ticketSources, ticketTransitions } from './domain.ts'
import * as store from './ticket-store.ts'

type TicketHandlers = Pick<Handlers<typeof shipping>, 'shipping.open-ticket' | 'shipping.advance-ticket'>

export const ticketHandlers = (): TicketHandlers => ({
  'shipping.open-ticket':
    async ({ input: { shipmentId, rate: _, ...order }, now }) =>
    async tx => {
      const ticket = await store.openTicket(tx, { ...order, id: shipmentId, acceptedAt: now })
      return done({ ticketId: ticket.id, state: ticket.state })
    },

  'shipping.advance-ticket':
    async ({ input: { ticketId, to }, actor, now }) =>
    async tx => {
      const from = ticketSources(to)
      const moved = await store.moveTicket(tx, {
        id: ticketId,
        from,
        to,
        actorId: actor?.id ?? null,
        at: now,
      })
      if (moved === null) {
        const current = await store.stateOf(tx, ticketId)
        if (current === null) return rejected('ticket_not_found')
        if (current === to) return done({ ticketId, state: to })
        return rejected('ticket_state_conflict', { current, allowed: [...ticketTransitions[current]] })
      }
      const { id: shipmentId, orderId, customerId, lines } = moved
      const delivered = emit(shipmentDelivered, { shipmentId, orderId, customerId, lines: [...lines] })
      return done({ ticketId, state: to }, { emit: isHandedOver(to) ? [delivered] : [] })
    },
})
