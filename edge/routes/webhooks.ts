import { Type } from '@sinclair/typebox'
import { closed } from '../../queues/schemas.ts'
import { readBytes } from '../middleware/json-body.ts'
import type { Mount } from '../operation.ts'
import { answersOf, bodyOf, sendersHeaders, type Upstream, unstored } from '../upstream.ts'

const Kept = Type.Object({ kept: Type.Literal(true) }, closed)
const kept = answersOf(Kept)

/** What payment providers and carriers tell: the bytes as they came, for the service that can verify who signed them. */
export function mountWebhooks(
  mount: Mount,
  upstreams: Readonly<Record<'payments' | 'shipping', Upstream>>,
  bodyMaxBytes: number,
): void {
  for (const service of ['payments', 'shipping'] as const)
    mount(
      {
        id: `${service}.receive-webhook`,
        method: 'POST',
        path: `/v1/webhooks/${service}/{sender}`,
        tag: service,
        summary: 'What a sender tells: verified by its signature, kept once, and a reason to ask the sender.',
        access: 'public',
        params: Type.Object({
          sender: Type.String({
            pattern: '^[a-z][a-z0-9-]{0,31}$',
            description: 'A provider or a carrier by its name in the settings.',
          }),
        }),
        body: {
          contentType: 'application/octet-stream',
          schema: Type.Unsafe<string>({ type: 'string', format: 'binary' }),
          required: true,
        },
        answers: { 200: { description: 'It is kept, now or since before.', schema: Kept } },
        problems: ['bad_signature', 'not_found', 'body_too_large', 'upstream_unavailable'],
      },
      async ({ c, params: { sender } }) => {
        const { base, fetch } = upstreams[service]
        const body = new Uint8Array(await readBytes(c.req.raw, bodyMaxBytes))
        const request = { method: 'POST', body, headers: sendersHeaders(c) }
        return Response.json(await kept(fetch(`${base}/webhooks/${sender}`, request).then(bodyOf)), unstored)
      },
    )
}
