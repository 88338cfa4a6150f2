import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { TicketPage, TicketState } from '../../queues/kitchen.ts'
import { TableRates } from '../../queues/rates.ts'
import { closed, Id } from '../../queues/schemas.ts'
import { Shipment, ShipmentList } from '../../queues/shipments.ts'
import type { ShippingRoutes } from '../../workers/shipping/routes.ts'
import type { Mount } from '../operation.ts'
import { PageParameters } from '../page.ts'
import { answersOf, asSeenBy, edenOf, onBehalfOf, type Upstream, unstored } from '../upstream.ts'

const TicketParameters = Type.Object(
  {
    ...PageParameters.properties,
    storeId: Type.Unsafe<string>({ ...Id, description: 'Whose kitchen.' }),
    state: Type.Optional(TicketState),
  },
  closed,
)

/** Shipments: one's own, and all for merchants; tickets of kitchens. */
export function mountShipping(mount: Mount, upstream: Upstream): void {
  const api = treaty<ShippingRoutes>(...edenOf(upstream))
  const shipment = answersOf(Shipment)
  const list = answersOf(ShipmentList)
  const tickets = answersOf(TicketPage)
  const table = answersOf(TableRates)

  mount(
    {
      id: 'shipping.list-shipments',
      method: 'GET',
      path: '/v1/orders/{orderId}/shipments',
      tag: 'shipping',
      summary: 'The parcels of an order: none of somebody else’s, unless one may write them.',
      access: 'shipping:read',
      params: Type.Object({ orderId: Id }),
      answers: { 200: { description: 'Its parcels.', schema: ShipmentList } },
      problems: ['upstream_unavailable'],
    },
    async ({ c, actor, params: { orderId } }) =>
      Response.json(
        await list(api.orders({ id: orderId }).shipments.get(asSeenBy(c, actor, 'shipping:write'))),
        unstored,
      ),
  )
  mount(
    {
      id: 'shipping.get-shipment',
      method: 'GET',
      path: '/v1/shipments/{shipmentId}',
      tag: 'shipping',
      summary: 'One of one’s own parcels, or any for whoever may write them, with its label.',
      access: 'shipping:read',
      params: Type.Object({ shipmentId: Id }),
      answers: { 200: { description: 'The parcel.', schema: Shipment } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params: { shipmentId } }) =>
      Response.json(
        await shipment(api.shipments({ id: shipmentId }).get(asSeenBy(c, actor, 'shipping:write'))),
        unstored,
      ),
  )
  mount(
    {
      id: 'shipping.list-tickets',
      method: 'GET',
      path: '/v1/kitchen/tickets',
      tag: 'shipping',
      summary: 'The tickets of a kitchen, the oldest first: for its screen.',
      access: 'shipping:write',
      query: TicketParameters,
      answers: { 200: { description: 'One page.', schema: TicketPage } },
      problems: ['upstream_unavailable'],
    },
    async ({ c, actor, query }) =>
      Response.json(await tickets(api.tickets.get({ query, ...onBehalfOf(c, actor) })), unstored),
  )
  mount(
    {
      id: 'shipping.get-table-rates',
      method: 'GET',
      path: '/v1/stores/{storeId}/shipping-rates',
      tag: 'shipping',
      summary: 'The table of rates of a store.',
      access: 'shipping:write',
      params: Type.Object({ storeId: Id }),
      answers: { 200: { description: 'Its rates.', schema: TableRates } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params: { storeId } }) =>
      Response.json(await table(api.stores({ id: storeId }).rates.get(onBehalfOf(c, actor))), unstored),
  )
}
