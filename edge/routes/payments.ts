import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { Payment, PaymentPage } from '../../queues/payments.ts'
import { Id } from '../../queues/schemas.ts'
import type { PaymentsRoutes } from '../../workers/payments/routes.ts'
import type { Mount } from '../operation.ts'
import { PageParameters } from '../page.ts'
import { answersOf, edenOf, onBehalfOf, type Upstream, unstored } from '../upstream.ts'

const PaymentParameters = Type.Object(
  { ...PageParameters.properties, orderId: Type.Optional(Id) },
  { additionalProperties: false },
)

/** One's own payments. */
export function mountPayments(mount: Mount, upstream: Upstream): void {
  const api = treaty<PaymentsRoutes>(...edenOf(upstream))
  const payment = answersOf(Payment)
  const page = answersOf(PaymentPage)

  mount(
    {
      id: 'payments.list',
      method: 'GET',
      path: '/v1/payments',
      tag: 'payments',
      summary: 'One’s own payments, newest first; of one order, if it is named.',
      access: 'payments:read',
      query: PaymentParameters,
      answers: { 200: { description: 'One page.', schema: PaymentPage } },
      problems: ['upstream_unavailable'],
    },
    async ({ c, actor, query }) =>
      Response.json(await page(api.payments.get({ query, ...onBehalfOf(c, actor) })), unstored),
  )
  mount(
    {
      id: 'payments.get',
      method: 'GET',
      path: '/v1/payments/{paymentId}',
      tag: 'payments',
      summary: 'One of one’s own payments.',
      access: 'payments:read',
      params: Type.Object({ paymentId: Id }),
      answers: { 200: { description: 'The payment.', schema: Payment } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params }) =>
      Response.json(
        await payment(api.payments({ id: params.paymentId }).get(onBehalfOf(c, actor))),
        unstored,
      ),
  )
}
