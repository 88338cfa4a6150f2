import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Sql } from '../../db/client.ts'
import { Case, CaseKind, CasePage, CaseState, OrderSaga } from '../../queues/cases.ts'
import { Discount, DiscountPage } from '../../queues/discounts.ts'
import { DiscountCode } from '../../queues/order-money.ts'
import { ToDo } from '../../queues/order-states.ts'
import { Order, OrderPage, Quote } from '../../queues/order-views.ts'
import { Id } from '../../queues/schemas.ts'
import { ActorHeaders, NotFound, notFound } from '../runtime/http.ts'
import { PageById, rangeOf, toPage } from '../runtime/page.ts'
import { readerOf, Sight } from '../runtime/reader.ts'
import { listCases, readCase } from './cases.ts'
import { listDiscounts, listOrders, listToDo, readDiscount, readOrder, readQuote, readSaga } from './reads.ts'

/**
 * A customer's own orders and quotes; anybody else's do not exist for them, but for those who fulfil orders. Discounts are
 * for merchants, cases and sagas for operators: the edge sees to it.
 */
export const routes = (sql: Sql) =>
  new Elysia()
    .get(
      '/orders',
      async ({ query, headers }) => {
        const customerId = headers['x-waybill-actor']
        return toPage(await listOrders(sql, { customerId, ...rangeOf(query) }), query)
      },
      { query: PageById, headers: ActorHeaders, response: { 200: OrderPage } },
    )
    .get(
      '/orders/:id',
      async ({ params, query, headers, status }) =>
        (await readOrder(sql, params.id, readerOf(headers, query))) ?? status(404, notFound),
      {
        params: Type.Object({ id: Id }),
        query: Sight,
        headers: ActorHeaders,
        response: { 200: Order, 404: NotFound },
      },
    )
    .get(
      '/stores/:id/orders',
      async ({ params, query }) => {
        const filter = { storeId: params.id, state: query.state ?? 'paid' }
        return toPage(await listToDo(sql, { ...filter, ...rangeOf(query) }), query)
      },
      {
        params: Type.Object({ id: Id }),
        query: Type.Object({ ...PageById.properties, state: Type.Optional(ToDo) }),
        response: { 200: OrderPage },
      },
    )
    .get(
      '/quotes/:id',
      async ({ params, headers, status }) =>
        (await readQuote(sql, headers['x-waybill-actor'], params.id)) ?? status(404, notFound),
      { params: Type.Object({ id: Id }), headers: ActorHeaders, response: { 200: Quote, 404: NotFound } },
    )
    .get('/discounts', async ({ query }) => toPage(await listDiscounts(sql, rangeOf(query)), query), {
      query: PageById,
      response: { 200: DiscountPage },
    })
    .get(
      '/discounts/:code',
      async ({ params, status }) => (await readDiscount(sql, params.code)) ?? status(404, notFound),
      { params: Type.Object({ code: DiscountCode }), response: { 200: Discount, 404: NotFound } },
    )
    .get(
      '/orders/:id/saga',
      async ({ params, status }) => (await readSaga(sql, params.id)) ?? status(404, notFound),
      {
        params: Type.Object({ id: Id }),
        headers: ActorHeaders,
        response: { 200: OrderSaga, 404: NotFound },
      },
    )
    .get(
      '/cases',
      async ({ query }) => {
        const { state = null, kind = null, orderId = null } = query
        return toPage(await listCases(sql, { state, kind, orderId, ...rangeOf(query) }), query)
      },
      {
        query: Type.Composite([
          PageById,
          Type.Object({
            state: Type.Optional(CaseState),
            kind: Type.Optional(CaseKind),
            orderId: Type.Optional(Id),
          }),
        ]),
        headers: ActorHeaders,
        response: { 200: CasePage },
      },
    )
    .get(
      '/cases/:id',
      async ({ params, status }) => (await readCase(sql, params.id)) ?? status(404, notFound),
      {
        params: Type.Object({ id: Id }),
        headers: ActorHeaders,
        response: { 200: Case, 404: NotFound },
      },
    )

export type OrdersRoutes = ReturnType<typeof routes>
