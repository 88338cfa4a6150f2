import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { Payment, PaymentPage } from '../../queues/payments.ts'
import { closed, Id } from '../../queues/schemas.ts'
import type { PaymentsRoutes } from '../../workers/payments/routes.ts'
import { readBytes } from '../middleware/json-body.ts'
import type { Mount } from '../operation.ts'
import { PageParameters } from '../page.ts'
import { answersOf, asSeenBy, bodyOf, edenOf, sendersHeaders, type Upstream, unstored } from '../upstream.ts'

const PaymentParameters = Type.Object(
  { ...PageParameters.properties, orderId: Type.Optional(Id) },
  { additionalProperties: false },
)

const Kept = Type.Object({ kept: Type.Literal(true) }, closed)

/** One's own payments, and what providers tell. */
export function mountPayments(mount: Mount, upstream: Upstream, bodyMaxBytes: number): void {
  const api = treaty<PaymentsRoutes>(...edenOf(upstream))
  const payment = answersOf(Payment)
  const page = answersOf(PaymentPage)
  const kept = answersOf(Kept)

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
  mount(
    {
      id: 'payments.receive-webhook',
      method: 'POST',
      path: '/v1/webhooks/payments/{provider}',
      tag: 'payments',
      summary:
        'What a provider tells: verified by its signature, kept once, and a reason to ask the provider.',
      access: 'public',
      params: Type.Object({ provider: Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' }) }),
      body: {
        contentType: 'application/octet-stream',
        schema: Type.Unsafe<string>({ type: 'string', format: 'binary' }),
        required: true,
      },
      answers: { 200: { description: 'It is kept, now or since before.', schema: Kept } },
      problems: ['bad_signature', 'not_found', 'body_too_large', 'upstream_unavailable'],
    },
    async ({ c, params: { provider } }) => {
      const body = new Uint8Array(await readBytes(c.req.raw, bodyMaxBytes))
      const request = { method: 'POST', body, headers: sendersHeaders(c) }
      return Response.json(
        await kept(upstream.fetch(`${upstream.base}/webhooks/${provider}`, request).then(bodyOf)),
        unstored,
      )
    },
  )
}
