import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { Discount, DiscountPage } from '../../queues/discounts.ts'
import { DiscountCode } from '../../queues/order-money.ts'
import { Order, OrderPage, Quote } from '../../queues/order-views.ts'
import { Id } from '../../queues/schemas.ts'
import type { OrdersRoutes } from '../../workers/orders/routes.ts'
import type { Mount } from '../operation.ts'
import { PageParameters } from '../page.ts'
import { answersOf, edenOf, onBehalfOf, type Upstream, unstored } from '../upstream.ts'

/** One's own orders and quotes, and the discounts of merchants. */
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
      summary: 'One of one’s own orders, with its lines and its history.',
      access: 'orders:read',
      params: Type.Object({ orderId: Id }),
      answers: { 200: { description: 'The order.', schema: Order } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params }) =>
      Response.json(await order(api.orders({ id: params.orderId }).get(onBehalfOf(c, actor))), unstored),
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
