import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { Discount, DiscountPage } from '../../queues/discounts.ts'
import { DiscountCode } from '../../queues/order-money.ts'
import { ToDo } from '../../queues/order-states.ts'
import { Order, OrderPage, Quote } from '../../queues/order-views.ts'
import { closed, Id } from '../../queues/schemas.ts'
import type { OrdersRoutes } from '../../workers/orders/routes.ts'
import type { Mount } from '../operation.ts'
import { PageParameters } from '../page.ts'
import { answersOf, asSeenBy, edenOf, onBehalfOf, type Upstream, unstored } from '../upstream.ts'

const ToDoParameters = Type.Object({ ...PageParameters.properties, state: Type.Optional(ToDo) }, closed)

/** One's own orders and quotes; for merchants, those of everybody, and discounts. */
export function mountOrders(mount: Mount, upstream: Upstream): void {
  const api = treaty<OrdersRoutes>(...edenOf(upstream))
  const order = answersOf(Order)
  const page = answersOf(OrderPage)
  const quote = answersOf(Quote)
  const discount = answersOf(Discount)
  const discounts = answersOf(DiscountPage)

  mount(
    {
      id: 'orders.list',
      method: 'GET',
      path: '/v1/orders',
      tag: 'orders',
      summary: 'One’s own orders, newest first.',
      access: 'orders:read',
      query: PageParameters,
      answers: { 200: { description: 'One page.', schema: OrderPage } },
      problems: ['upstream_unavailable'],
    },
    async ({ c, actor, query }) =>
      Response.json(await page(api.orders.get({ query, ...onBehalfOf(c, actor) })), unstored),
  )
  mount(
    {
      id: 'orders.get',
      method: 'GET',
      path: '/v1/orders/{orderId}',
      tag: 'orders',
      summary: 'One of one’s own orders, or any for whoever may fulfil it, with its lines and its history.',
      access: 'orders:read',
      params: Type.Object({ orderId: Id }),
      answers: { 200: { description: 'The order.', schema: Order } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params }) =>
      Response.json(
        await order(api.orders({ id: params.orderId }).get(asSeenBy(c, actor, 'orders:fulfil'))),
        unstored,
      ),
  )
  mount(
    {
      id: 'orders.list-of-store',
      method: 'GET',
      path: '/v1/stores/{storeId}/orders',
      tag: 'orders',
      summary:
        'What a store has to do, the oldest first: its paid orders, unless another state is asked for.',
      access: 'orders:fulfil',
      params: Type.Object({ storeId: Id }),
      query: ToDoParameters,
      answers: { 200: { description: 'One page.', schema: OrderPage } },
      problems: ['upstream_unavailable'],
    },
    async ({ c, actor, params, query }) =>
      Response.json(
        await page(api.stores({ id: params.storeId }).orders.get({ query, ...onBehalfOf(c, actor) })),
        unstored,
      ),
  )
  mount(
    {
      id: 'orders.get-quote',
      method: 'GET',
      path: '/v1/quotes/{quoteId}',
      tag: 'orders',
      summary: 'One of one’s own quotes, and whether an order can still be placed from it.',
      access: 'orders:read',
      params: Type.Object({ quoteId: Id }),
      answers: { 200: { description: 'The quote.', schema: Quote } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params }) =>
      Response.json(await quote(api.quotes({ id: params.quoteId }).get(onBehalfOf(c, actor))), unstored),
  )

  mount(
    {
      id: 'orders.list-discounts',
      method: 'GET',
      path: '/v1/discounts',
      tag: 'orders',
      summary: 'All discounts, newest first.',
      access: 'catalog:write',
      query: PageParameters,
      answers: { 200: { description: 'One page.', schema: DiscountPage } },
      problems: ['upstream_unavailable'],
    },
    async ({ query }) => Response.json(await discounts(api.discounts.get({ query })), unstored),
  )
  mount(
    {
      id: 'orders.get-discount',
      method: 'GET',
      path: '/v1/discounts/{code}',
      tag: 'orders',
      summary: 'One discount by its code, and how often it was used.',
      access: 'catalog:write',
      params: Type.Object({ code: DiscountCode }),
      answers: { 200: { description: 'The discount.', schema: Discount } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ params }) => Response.json(await discount(api.discounts({ code: params.code }).get()), unstored),
  )
}
