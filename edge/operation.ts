import type { Static, TObject, TSchema } from '@sinclair/typebox'
import type { Actor, Scope } from '../queues/access.ts'
import type { Refusals } from '../queues/command.ts'
import type { EdgeContext } from './context.ts'
import type { ProblemCode } from './problems.ts'

/** Who may call: anybody, whoever has a valid token (the handler looks at the owner), or who has this scope. */
export type Access = 'public' | 'signed-in' | Scope

export interface Answer {
  readonly description: string
  /** Absent: no body. */
  readonly schema?: TSchema
  /** `application/json` unless it says otherwise. */
  readonly contentType?: string
  /** Description of each header that comes with it, by name. */
  readonly headers?: Readonly<Record<string, string>>
}

/** One route: what is mounted is exactly what is documented, because both are made from this. */
export interface Operation<
  P extends TObject = TObject,
  Q extends TObject = TObject,
  A extends Access = Access,
> {
  /** `orders.get`: the OpenAPI operation id. */
  readonly id: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Parameters in braces: `/v1/orders/{orderId}`. */
  readonly path: `/${string}`
  /** The service it belongs to. */
  readonly tag: string
  /** One sentence. */
  readonly summary: string
  readonly access: A
  /** Schemas of the path parameters, all strings; an address that does not fit them is 404. */
  readonly params?: P
  /** Schemas of the query parameters; a wrong or unknown one is 400. */
  readonly query?: Q
  /** Request headers that mean something to this operation, by name. */
  readonly headers?: Readonly<Record<string, { readonly schema: TSchema; readonly required: boolean }>>
  readonly body?: { readonly contentType: string; readonly schema: TSchema; readonly required: boolean }
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>
  /** How it can go wrong, besides what its access and body imply. */
  readonly problems: readonly ProblemCode[]
  /** How the service can say no, by code. */
  readonly refusals?: Refusals
}

/** A request that has passed authentication, scope and parameter checks. */
export interface Incoming<P extends TObject, Q extends TObject, A extends Access> {
  readonly c: EdgeContext
  readonly actor: A extends 'public' ? null : Actor
  readonly params: Static<P>
  readonly query: Static<Q>
}

/** The only way to add a route: it demands an Operation and writes it into the record. */
export type Mount = <
  P extends TObject = TObject<Record<never, never>>,
  Q extends TObject = TObject<Record<never, never>>,
  const A extends Access = Access,
>(
  operation: Operation<P, Q, A>,
  handler: (incoming: Incoming<P, Q, A>) => Response | Promise<Response>,
) => void

/** The names in braces. */
export const pathParameters = (path: string): readonly string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(match => match[1] ?? '')
