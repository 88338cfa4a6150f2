import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Sql } from '../../db/client.ts'
import { Payment, PaymentPage } from '../../queues/payments.ts'
import { Id } from '../../queues/schemas.ts'
import { ActorHeaders, NotFound, notFound } from '../runtime/http.ts'
import { PageById, rangeOf, toPage } from '../runtime/page.ts'
import { listPayments, readPayment } from './store.ts'

const PaymentQuery = Type.Object({ ...PageById.properties, orderId: Type.Optional(Id) })

/** A customer's own payments; anybody else's do not exist for them. */
export const routes = (sql: Sql) =>
  new Elysia()
    .get(
      '/payments',
      async ({ query, headers }) => {
        const filter = { customerId: headers['x-waybill-actor'], orderId: query.orderId ?? null }
        return toPage(await listPayments(sql, { ...filter, ...rangeOf(query) }), query)
      },
      { query: PaymentQuery, headers: ActorHeaders, response: { 200: PaymentPage } },
    )
    .get(
      '/payments/:id',
      async ({ params, headers, status }) =>
        (await readPayment(sql, headers['x-waybill-actor'], params.id)) ?? status(404, notFound),
      { params: Type.Object({ id: Id }), headers: ActorHeaders, response: { 200: Payment, 404: NotFound } },
    )

export type PaymentsRoutes = ReturnType<typeof routes>
