import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Sql } from '../../db/client.ts'
import { TicketPage, TicketState } from '../../queues/kitchen.ts'
import { TableRates } from '../../queues/rates.ts'
import { closed, Id } from '../../queues/schemas.ts'
import { Shipment, ShipmentList } from '../../queues/shipments.ts'
import { ActorHeaders, NotFound, notFound } from '../runtime/http.ts'
import { PageById, rangeOf, toPage } from '../runtime/page.ts'
import { readerOf, Sight } from '../runtime/reader.ts'
import { readTable } from './rate-store.ts'
import { listShipments, listTickets, readShipment } from './reads.ts'
import type { TakeHint } from './webhooks.ts'

const TicketQuery = Type.Object({
  ...PageById.properties,
  storeId: Id,
  state: Type.Optional(TicketState),
})
const Kept = Type.Object({ kept: Type.Literal(true) }, closed)
const BadSignature = Type.Object({ code: Type.Literal('bad_signature') }, closed)

/** Shipments: one's own, or all for merchants. Tickets: for whom the edge lets read them. Webhooks: for who can sign. */
export const routes = (sql: Sql, takeHint: TakeHint) =>
  new Elysia()
    .get(
      '/orders/:id/shipments',
      async ({ params, query, headers }) => ({
        items: await listShipments(sql, params.id, readerOf(headers, query)),
      }),
      {
        params: Type.Object({ id: Id }),
        query: Sight,
        headers: ActorHeaders,
        response: { 200: ShipmentList },
      },
    )
    .get(
      '/shipments/:id',
      async ({ params, query, headers, status }) =>
        (await readShipment(sql, params.id, readerOf(headers, query))) ?? status(404, notFound),
      {
        params: Type.Object({ id: Id }),
        query: Sight,
        headers: ActorHeaders,
        response: { 200: Shipment, 404: NotFound },
      },
    )
    .get(
      '/tickets',
      async ({ query }) => {
        const filter = { storeId: query.storeId, state: query.state ?? null }
        return toPage(await listTickets(sql, { ...filter, ...rangeOf(query) }), query)
      },
      { query: TicketQuery, response: { 200: TicketPage } },
    )
    .get(
      '/stores/:id/rates',
      async ({ params, status }) => {
        const services = await readTable(sql, params.id)
        return services ? { storeId: params.id, services: [...services] } : status(404, notFound)
      },
      { params: Type.Object({ id: Id }), response: { 200: TableRates, 404: NotFound } },
    )
    .post(
      '/webhooks/:carrier',
      async ({ params, request, status }) => {
        const answer = await takeHint(
          params.carrier,
          new Uint8Array(await request.arrayBuffer()),
          request.headers,
        )
        if (answer === 'no_carrier') return status(404, notFound)
        if (answer === 'bad_signature') return status(400, { code: answer })
        return { kept: true } as const
      },
      {
        // What is signed are the bytes as they came.
        parse: 'none',
        params: Type.Object({ carrier: Type.String({ maxLength: 32 }) }),
        response: { 200: Kept, 400: BadSignature, 404: NotFound },
      },
    )

export type ShippingRoutes = ReturnType<typeof routes>
