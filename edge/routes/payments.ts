import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { Payment, PaymentPage } from '../../queues/payments.ts'
import { Id } from '../../queues/schemas.ts'
import type { PaymentsRoutes } from '../../workers/payments/routes.ts'
import type { Mount } from '../operation.ts'
import { PageParameters } from '../page.ts'
import { answersOf, asSeenBy, edenOf, type Upstream, unstored } from '../upstream.ts'

const PaymentParameters = Type.Object(
  { ...PageParameters.properties, orderId: Type.Optional(Id) },
  { additionalProperties: false },
)

/** One's own payments; anybody's for whoever may move the money. */
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
      summary:
        'One’s own payments, newest first, or those of one order: anybody’s, for whoever may move the money.',
      access: 'payments:read',
      query: PaymentParameters,
      answers: { 200: { description: 'One page.', schema: PaymentPage } },
      problems: ['upstream_unavailable'],
    },
    async ({ c, actor, query }) => {
      const { query: sight, ...behalf } = asSeenBy(c, actor, 'payments:write')
      return Response.json(
        await page(api.payments.get({ query: { ...query, ...sight }, ...behalf })),
        unstored,
      )
    },
  )
  mount(
    {
      id: 'payments.get',
      method: 'GET',
      path: '/v1/payments/{paymentId}',
      tag: 'payments',
      summary: 'One of one’s own payments, or any for whoever may move its money.',
      access: 'payments:read',
      params: Type.Object({ paymentId: Id }),
      answers: { 200: { description: 'The payment.', schema: Payment } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params }) =>
      Response.json(
        await payment(api.payments({ id: params.paymentId }).get(asSeenBy(c, actor, 'payments:write'))),
        unstored,
      ),
  )
}
