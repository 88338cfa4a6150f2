import { timingSafeEqual } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import { type AnyElysia, Elysia } from 'elysia'
import type { Logger } from 'pino'
import { closed, Id } from '../../queues/schemas.ts'
import type { BreakerView } from './ask.ts'

/** Who reads, as the edge has authenticated them. Every query carries it as its owner predicate. */
export const ActorHeaders = Type.Object({ 'x-waybill-actor': Id })

/** Not found, in a form that the edge turns into a problem. */
export const NotFound = Type.Object({ code: Type.Literal('not_found') }, closed)
export const notFound = { code: 'not_found' } as const

export const internalSecretHeader = 'x-waybill-internal'

/** A service's routes with what all share: nothing of an unknown error leaves the process. */
export const withErrors = (routes: AnyElysia, log: Logger): AnyElysia =>
  new Elysia()
    .onError(({ code, error, status, request }) => {
      if (code === 'VALIDATION' || code === 'PARSE') return status(422, { code: 'invalid_request' })
      if (code === 'NOT_FOUND') return status(404, notFound)
      log.error({ err: error, method: request.method, url: new URL(request.url).pathname }, 'read failed')
      return status(500, { code: 'internal' })
    })
    .use(routes)

export interface Health {
  /** Why the process may not be sent requests; none if it may. */
  readonly ailments: () => Promise<readonly string[]>
  /** Shown beside it: a remote side that is away is no reason to stop sending requests. */
  readonly breakers: () => readonly BreakerView[]
  /** For whoever reads figures; counts and names, and nothing of what customers do. */
  readonly metrics: () => Promise<Response>
}

const toState = ({ name, state }: BreakerView) => ({ name, state })

/** For a service on a port of its own: health for the platform, everything else only for those who know the secret. */
export function guarded(routes: AnyElysia, internalSecret: string, { ailments, breakers, metrics }: Health) {
  return async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url)
    if (pathname === '/livez') return Response.json({ ok: true })
    if (pathname === '/readyz') {
      const reasons = await ailments()
      return Response.json(
        { ready: reasons.length === 0, reasons, breakers: breakers().map(toState) },
        { status: reasons.length === 0 ? 200 : 503 },
      )
    }
    if (pathname === '/metrics') return metrics()
    if (!sameSecret(request.headers.get(internalSecretHeader) ?? '', internalSecret)) {
      return Response.json({ code: 'unauthorized' }, { status: 401 })
    }
    return routes.handle(request)
  }
}

function sameSecret(given: string, expected: string): boolean {
  const a = Buffer.from(given)
  const b = Buffer.from(expected)
  return a.length === b.length && timingSafeEqual(a, b)
}
