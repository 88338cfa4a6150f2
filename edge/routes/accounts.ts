import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { Account, Login, Refresh, Registration, Tokens } from '../../queues/accounts.ts'
import { Id } from '../../queues/schemas.ts'
import type { AccountsRoutes } from '../../workers/accounts/routes.ts'
import { inputReader } from '../input.ts'
import type { Mount } from '../operation.ts'
import { answersOf, edenOf, onBehalfOf, type Upstream, unstored } from '../upstream.ts'

const KeySet = Type.Object(
  { keys: Type.Array(Type.Record(Type.String(), Type.Unknown())) },
  { additionalProperties: false, $id: 'KeySet', description: 'JSON Web Key Set (RFC 7517).' },
)

/** Accounts and sessions: answered at once by their service, because credentials never enter the journal. */
export function mountAccounts(mount: Mount, upstream: Upstream, bodyMaxBytes: number): void {
  const api = treaty<AccountsRoutes>(...edenOf(upstream))
  const account = answersOf(Account)
  const tokens = answersOf(Tokens)
  const keySet = answersOf(KeySet)
  const readRegistration = inputReader(Registration, bodyMaxBytes)
  const readLogin = inputReader(Login, bodyMaxBytes)
  const readRefresh = inputReader(Refresh, bodyMaxBytes)

  mount(
    {
      id: 'accounts.register',
      method: 'POST',
      path: '/v1/accounts',
      tag: 'accounts',
      summary: 'Open an account, with the role customer.',
      access: 'public',
      body: { contentType: 'application/json', schema: Registration, required: true },
      answers: { 201: { description: 'The account.', schema: Account } },
      problems: ['email_taken', 'overloaded', 'upstream_unavailable'],
    },
    async ({ c }) => {
      const registration = await readRegistration(c.req.raw)
      const headers = { traceparent: c.get('traceparent') }
      return Response.json(await account(api.register.post(registration, { headers })), {
        status: 201,
        ...unstored,
      })
    },
  )
  mount(
    {
      id: 'accounts.get',
      method: 'GET',
      path: '/v1/accounts/{accountId}',
      tag: 'accounts',
      summary: 'One’s own account.',
      access: 'accounts:read',
      params: Type.Object({ accountId: Id }),
      answers: { 200: { description: 'The account.', schema: Account } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params }) => {
      const asked = api.accounts({ id: params.accountId }).get(onBehalfOf(c, actor))
      return Response.json(await account(asked), unstored)
    },
  )
  mount(
    {
      id: 'sessions.login',
      method: 'POST',
      path: '/v1/sessions',
      tag: 'accounts',
      summary: 'Exchange e-mail address and password for tokens.',
      access: 'public',
      body: { contentType: 'application/json', schema: Login, required: true },
      answers: { 200: { description: 'An access token and a refresh token.', schema: Tokens } },
      problems: ['invalid_credentials', 'overloaded', 'upstream_unavailable'],
    },
    async ({ c }) => {
      const login = await readLogin(c.req.raw)
      return Response.json(await tokens(api.login.post(login)), unstored)
    },
  )
  mount(
    {
      id: 'sessions.refresh',
      method: 'POST',
      path: '/v1/sessions/refresh',
      tag: 'accounts',
      summary: 'Exchange a refresh token for new tokens; each is good for one use.',
      access: 'public',
      body: { contentType: 'application/json', schema: Refresh, required: true },
      answers: { 200: { description: 'A new access token and a new refresh token.', schema: Tokens } },
      problems: ['invalid_refresh_token', 'upstream_unavailable'],
    },
    async ({ c }) => {
      const refresh = await readRefresh(c.req.raw)
      const headers = { 'x-waybill-client': (c.req.header('user-agent') ?? '').slice(0, 1_000) }
      return Response.json(await tokens(api.refresh.post(refresh, { headers })), unstored)
    },
  )
  mount(
    {
      id: 'sessions.keys',
      method: 'GET',
      path: '/.well-known/jwks.json',
      tag: 'accounts',
      summary: 'The public keys that access tokens are verified with.',
      access: 'public',
      answers: { 200: { description: 'The keys.', schema: KeySet } },
      problems: ['upstream_unavailable'],
    },
    async () =>
      Response.json(await keySet(api['.well-known']['jwks.json'].get()), {
        headers: { 'cache-control': 'public, max-age=600' },
      }),
  )
}
