import { hash } from 'node:crypto'
import { type TObject, Type } from '@sinclair/typebox'
import type { Access, Answer, Incoming, Mount, Operation } from '../operation.ts'

/**
 * Mounts reads that anybody may keep and must ask about before each use: who knows the state already gets 304 and no
 * body. Nothing is shown for longer, so that whoever has seen a change settled also sees it here. `hono/etag` would
 * take the CORS headers off its 304.
 */
export const revalidated =
  (mount: Mount): Mount =>
  <P extends TObject, Q extends TObject, const A extends Access>(
    operation: Operation<P, Q, A>,
    handler: (incoming: Incoming<P, Q, A>) => Response | Promise<Response>,
  ) =>
    mount(documented(operation), async incoming =>
      unlessKnown(await handler(incoming), incoming.c.req.header('if-none-match')),
    )

const cacheControl = 'public, max-age=0, must-revalidate'

/** The answer with its tag; 304 if the caller knows that tag. */
async function unlessKnown(answer: Response, known = ''): Promise<Response> {
  const body = await answer.text()
  // Weak, for what stands between may compress the body.
  const tag = `"${hash('sha256', body, 'base64url')}"`
  const headers = new Headers({ 'cache-control': cacheControl, etag: `W/${tag}` })
  const tags: readonly string[] = known.match(/"[^"]*"/g) ?? []
  if (known.trim() === '*' || tags.includes(tag)) return new Response(null, { status: 304, headers })
  headers.set('content-type', answer.headers.get('content-type') ?? 'application/json')
  return new Response(body, { status: answer.status, headers })
}

function documented<P extends TObject, Q extends TObject, A extends Access>(
  operation: Operation<P, Q, A>,
): Operation<P, Q, A> {
  const answers: Record<number, Answer> = Object.fromEntries(
    Object.entries(operation.answers).map(([status, answer]) => [
      status,
      { ...answer, headers: { ...answer.headers, ...answerHeaders } },
    ]),
  )
  return {
    ...operation,
    headers: { ...operation.headers, 'If-None-Match': { schema: IfNoneMatch, required: false } },
    answers: { ...answers, 304: { description: 'As the caller knows it.', headers: answerHeaders } },
  }
}

const IfNoneMatch = Type.String({ description: '`ETag` of an earlier answer: 304 if it would be the same.' })
const answerHeaders = {
  ETag: 'Names this answer; weak, for its bytes may be compressed on the way.',
  'Cache-Control': `\`${cacheControl}\`: may be kept, and is to be asked about before each use.`,
}
