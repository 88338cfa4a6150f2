import type { Context } from 'hono'

/** What the middleware knows of a request. */
export interface EdgeEnv {
  Variables: {
    /** Names this request in logs and problems: the caller's x-request-id, else the trace id. */
    requestId: string
    /** W3C trace context of this request. */
    traceparent: string
    /** The operation that answers it, if there is one. */
    operation?: string
  }
}
export type EdgeContext = Context<EdgeEnv>
