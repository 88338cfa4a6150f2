import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { Case, CaseKind, CasePage, CaseState, OrderSaga } from '../../queues/cases.ts'
import { closed, Id } from '../../queues/schemas.ts'
import type { OrdersRoutes } from '../../workers/orders/routes.ts'
import type { Mount } from '../operation.ts'
import { PageParameters } from '../page.ts'
import { answersOf, edenOf, onBehalfOf, type Upstream, unstored } from '../upstream.ts'

const CaseParameters = Type.Object(
  {
    ...PageParameters.properties,
    state: Type.Optional(CaseState),
    kind: Type.Optional(CaseKind),
    orderId: Type.Optional(Id),
  },
  closed,
)

/** What a person has to look at, and how far orders have come, for operators. */
export function mountCases(mount: Mount, upstream: Upstream): void {
  const { cases, orders } = treaty<OrdersRoutes>(...edenOf(upstream))
  const page = answersOf(CasePage)
  const single = answersOf(Case)
  const saga = answersOf(OrderSaga)

  mount(
    {
      id: 'cases.list',
      method: 'GET',
      path: '/v1/ops/cases',
      tag: 'orders',
      summary: 'What a person has to look at, or had to, newest first.',
      access: 'ops:read',
      query: CaseParameters,
      answers: { 200: { description: 'One page.', schema: CasePage } },
      problems: ['upstream_unavailable'],
    },
    async ({ c, actor, query }) =>
      Response.json(await page(cases.get({ query, ...onBehalfOf(c, actor) })), unstored),
  )
  mount(
    {
      id: 'cases.get',
      method: 'GET',
      path: '/v1/ops/cases/{caseId}',
      tag: 'orders',
      summary: 'One case.',
      access: 'ops:read',
      params: Type.Object({ caseId: Id }),
      answers: { 200: { description: 'The case.', schema: Case } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params }) =>
      Response.json(await single(cases({ id: params.caseId }).get(onBehalfOf(c, actor))), unstored),
  )
  mount(
    {
      id: 'cases.saga',
      method: 'GET',
      path: '/v1/orders/{orderId}/saga',
      tag: 'orders',
      summary: 'How far an order has come, step by step, forward or back, with its cases.',
      access: 'ops:read',
      params: Type.Object({ orderId: Id }),
      answers: { 200: { description: 'Its saga.', schema: OrderSaga } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params }) =>
      Response.json(await saga(orders({ id: params.orderId }).saga.get(onBehalfOf(c, actor))), unstored),
  )
}
