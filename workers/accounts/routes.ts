import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { Account, Login, Refresh, Registration, Tokens } from '../../queues/accounts.ts'
import { closed, Id } from '../../queues/schemas.ts'
import { isTraceparent } from '../../queues/trace.ts'
import { ActorHeaders, NotFound, notFound } from '../runtime/http.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import type { Access } from './access.ts'
import { accessTokenLifeMs } from './domain.ts'
import { TooManySignIns } from './passwords.ts'
import { register, toAccount } from './register.ts'
import { login, refresh } from './sessions.ts'
import { findAccount, listPublicKeys } from './store.ts'

const problem = <const Code extends string>(code: Code) => Type.Object({ code: Type.Literal(code) }, closed)
const EmailTaken = problem('email_taken')
const InvalidCredentials = problem('invalid_credentials')
const InvalidRefreshToken = problem('invalid_refresh_token')
const Overloaded = problem('overloaded')

const KeySet = Type.Object({ keys: Type.Array(Type.Record(Type.String(), Type.Unknown())) }, closed)
/** What tells one client of an account from another: the edge sends the caller's user agent. */
const ClientHeaders = Type.Object({ 'x-waybill-client': Type.Optional(Type.String({ maxLength: 1_000 })) })
const TraceHeaders = Type.Object({ traceparent: Type.Optional(Type.String({ maxLength: 100 })) })

/** Signing in is answered at once and by the service itself: credentials never enter the journal. */
export const routes = (deps: ServiceDeps, access: Access) =>
  new Elysia()
    .post(
      '/register',
      async ({ body, headers, status }) => {
        const trace = isTraceparent(headers.traceparent) ? { traceparent: headers.traceparent } : {}
        const account = await register(deps, access.passwords, body, trace).catch(orOverloaded)
        if (account === 'overloaded') return status(503, { code: account })
        return account ? status(201, toAccount(account)) : status(409, { code: 'email_taken' })
      },
      {
        body: Registration,
        headers: TraceHeaders,
        response: { 201: Account, 409: EmailTaken, 503: Overloaded },
      },
    )
    .post(
      '/login',
      async ({ body, status }) => {
        const tokens = await login(deps, access, body).catch(orOverloaded)
        if (tokens === 'overloaded') return status(503, { code: tokens })
        return tokens ?? status(401, { code: 'invalid_credentials' })
      },
      { body: Login, response: { 200: Tokens, 401: InvalidCredentials, 503: Overloaded } },
    )
    .post(
      '/refresh',
      async ({ body, headers, status }) =>
        (await refresh(deps, access, {
          refreshToken: body.refreshToken,
          client: headers['x-waybill-client'] ?? '',
        })) ?? status(401, { code: 'invalid_refresh_token' }),
      { body: Refresh, headers: ClientHeaders, response: { 200: Tokens, 401: InvalidRefreshToken } },
    )
    .get(
      '/.well-known/jwks.json',
      async ({ set }) => {
        set.headers['cache-control'] = 'public, max-age=600'
        const keys = await listPublicKeys(deps.sql, new Date(deps.now().getTime() - accessTokenLifeMs))
        return { keys: keys.map(each => ({ ...each.publicJwk })) }
      },
      { response: { 200: KeySet } },
    )
    .get(
      '/accounts/:id',
      async ({ params, headers, status }) => {
        const account = await findAccount(deps.sql, params.id, headers['x-waybill-actor'])
        return account ? toAccount(account) : status(404, notFound)
      },
      {
        params: Type.Object({ id: Id }),
        headers: ActorHeaders,
        response: { 200: Account, 404: NotFound },
      },
    )

export type AccountsRoutes = ReturnType<typeof routes>

function orOverloaded(error: unknown): 'overloaded' {
  if (error instanceof TooManySignIns) return 'overloaded'
  throw error
}
