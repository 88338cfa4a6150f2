import type { Static, TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Actor, Scope } from '../queues/access.ts'
import type { EdgeContext } from './context.ts'
import { Problem, type ProblemCode, problems } from './problems.ts'
import { validator } from './validate.ts'

/** A service: its address, or the thing itself if it runs in this process. */
export type Target = string | { readonly handle: (request: Request) => Promise<Response> }

export interface Upstream {
  /** Stands before every path. */
  readonly base: string
  /** A `fetch` that reaches the service; throws a Problem (503) if the answer is not complete in time. */
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>
  /** The same for bodies that may take long: only the beginning of the answer has to come in time. */
  readonly open: (
    path: string,
    init: RequestInit & { readonly signal: AbortSignal },
    beginMs?: number,
  ) => Promise<Response>
}

export interface UpstreamRules {
  /** Proves to the service that it is the edge who asks. */
  readonly internalSecret: string
  readonly timeoutMs: number
}

export function createUpstream(target: Target, { internalSecret, timeoutMs }: UpstreamRules): Upstream {
  const remote = typeof target === 'string'
  const base = remote ? target.replace(/\/$/, '') : 'http://in-process'
  const dial = async (url: string, init: RequestInit, signal: AbortSignal) => {
    const headers = new Headers(init.headers)
    if (remote) headers.set('x-waybill-internal', internalSecret)
    const asked = { ...init, headers, signal, redirect: 'manual' } as const
    return await inTime(remote ? fetch(url, asked) : target.handle(new Request(url, asked)), signal)
  }
  return {
    base,
    fetch: (url, init = {}) => dial(url, init, AbortSignal.timeout(timeoutMs)),
    open: async (path, init, beginMs = timeoutMs) => {
      const late = new AbortController()
      const timer = setTimeout(() => late.abort(new Error('the answer did not begin in time')), beginMs)
      try {
        return await dial(`${base}${path}`, init, AbortSignal.any([init.signal, late.signal]))
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

/** The answer, unless the signal comes first; a service in this process does not look at signals. */
async function inTime(answer: Promise<Response>, signal: AbortSignal): Promise<Response> {
  let give: () => void = () => {}
  const end = new Promise<never>((_resolve, reject) => {
    give = () => reject(signal.reason)
    signal.addEventListener('abort', give, { once: true })
  })
  try {
    return await Promise.race([answer, end])
  } catch (cause) {
    answer.catch(() => {})
    throw unavailable(cause)
  } finally {
    signal.removeEventListener('abort', give)
  }
}

const unavailable = (cause: unknown): Problem =>
  new Problem('upstream_unavailable', { headers: { 'retry-after': '1' } }, cause)

/** A service broke its contract: 502, and why goes to the log alone. */
export const invalid = (why: string): Problem => new Problem('upstream_invalid', {}, new Error(why))

/** The arguments of Eden's `treaty` for a service. Without `parseDate: false` it turns a title such as "1/2/2025" into a Date. */
export const edenOf = ({ base, fetch }: Upstream) =>
  [base, { fetcher: fetch as typeof globalThis.fetch, parseDate: false }] as const

/** For whom a read is: the service answers only what belongs to them. */
export const onBehalfOf = (c: EdgeContext, actor: Actor) => ({
  headers: { 'x-waybill-actor': actor.id, traceparent: c.get('traceparent') },
})

/** The same, of everybody for whom this scope allows it. */
export const asSeenBy = (c: EdgeContext, actor: Actor, scope: Scope) => ({
  query: { all: actor.scopes.includes(scope) },
  ...onBehalfOf(c, actor),
})

/** Of a webhook's headers, what its sender may have signed with; not what is meant for this server. */
export const sendersHeaders = (c: EdgeContext) => ({
  ...Object.fromEntries([...c.req.raw.headers].filter(([name]) => !withheld.test(name))),
  traceparent: c.get('traceparent'),
})
const withheld = /^(x-waybill-.*|host|connection|content-length|transfer-encoding|cookie|authorization)$/

/** For answers that belong to one person. */
export const unstored = { headers: { 'cache-control': 'no-store' } } as const

/** What Eden answers, whatever the route. */
interface EdenAnswer<T> {
  readonly data: T | null
  readonly error: { readonly status: unknown; readonly value: unknown } | null
  readonly status: number
}

/** A plain answer in the form that Eden gives. */
export async function bodyOf(answer: Response): Promise<EdenAnswer<never>> {
  const value = (await answer.json().catch(() => null)) as never
  const { status } = answer
  return answer.ok ? { data: value, error: null, status } : { data: null, error: { status, value }, status }
}

/** Turns answers of a service into values of `schema`: what it does not name is dropped, what does not fit is 502. */
export function answersOf<S extends TSchema>(schema: S) {
  const { fits, errors } = validator(schema)
  return async (asked: Promise<EdenAnswer<Static<S>>>): Promise<Static<S>> => {
    const { data, error, status } = await asked.catch(brokenOff)
    if (error) throw toProblem(status, error.value)
    const value = Value.Clean(schema, data)
    if (!fits(value)) throw invalid(`the answer does not fit: ${JSON.stringify(errors(value))}`)
    return value
  }
}

/** Garbage is 502; a body that stops or takes too long is 503. */
function brokenOff(cause: unknown): never {
  if (cause instanceof SyntaxError) throw invalid('the answer is not JSON')
  throw cause instanceof Problem ? cause : unavailable(cause)
}

/** A service names its problems by code; what it does not name is its own fault, and nothing of it goes out. */
function toProblem(status: number, value: unknown): Problem {
  if (value instanceof Problem) return value
  const code = typeof value === 'object' && value !== null && 'code' in value ? value.code : undefined
  if (typeof code !== 'string' || !isProblem(code) || problems[code].status !== status)
    return invalid(`it answered ${status} ${typeof code === 'string' ? code : ''}`)
  if (status === 503) return new Problem(code, { headers: { 'retry-after': '1' } })
  if (status === 401) return new Problem(code, { headers: { 'www-authenticate': 'Bearer realm="waybill"' } })
  return new Problem(code)
}

const isProblem = (code: string): code is ProblemCode => Object.hasOwn(problems, code)
