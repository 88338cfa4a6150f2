import type { MiddlewareHandler } from 'hono'
import { childTrace, isTraceparent, startTrace, traceIdOf } from '../../queues/trace.ts'
import type { EdgeEnv } from '../context.ts'

const requestIdShape = /^[A-Za-z0-9._-]{1,64}$/

/** Gives every request an id and a place in its trace; a malformed one from outside is replaced. */
export const trace: MiddlewareHandler<EdgeEnv> = async (c, next) => {
  const parent = c.req.header('traceparent')
  const traceparent = isTraceparent(parent) ? childTrace(parent) : startTrace()
  const given = c.req.header('x-request-id')
  const requestId = given !== undefined && requestIdShape.test(given) ? given : traceIdOf(traceparent)
  c.set('traceparent', traceparent)
  c.set('requestId', requestId)
  await next()
  c.res.headers.set('x-request-id', requestId)
  c.res.headers.set('traceparent', traceparent)
}
