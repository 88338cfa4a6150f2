import { type Static, Type } from '@sinclair/typebox'
import { type Role, roles } from './access.ts'
import { command, event, service } from './command.ts'
import { retry } from './retry.ts'
import { closed, Email, Id, Instant, oneOf } from './schemas.ts'

export const RoleName = oneOf(
  Object.keys(roles) as Role[],
  'What an account may do: customer, merchant or operator.',
)
const Password = Type.String({ minLength: 10, maxLength: 200, description: 'Ten characters or more.' })

const Name = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000-\\u001f\\u007f]+$',
  description: 'What the person is called; no control characters.',
})

export const Account = Type.Object(
  { id: Id, email: Email, name: Name, roles: Type.Array(RoleName), createdAt: Instant },
  { ...closed, $id: 'Account' },
)
export type Account = Static<typeof Account>

/** Credentials never enter the journal: these three are answered by the service at once. */
export const Registration = Type.Object({ email: Email, password: Password, name: Name }, closed)
export const Login = Type.Object(
  { email: Email, password: Type.String({ minLength: 1, maxLength: 200 }) },
  closed,
)
export const Refresh = Type.Object({ refreshToken: Type.String({ minLength: 20, maxLength: 200 }) }, closed)
export const Tokens = Type.Object(
  {
    accessToken: Type.String({ description: 'JWT (RFC 9068) for the `Authorization: Bearer` header.' }),
    tokenType: Type.Literal('Bearer'),
    expiresInSeconds: Type.Integer({ description: 'Life of the access token.' }),
    refreshToken: Type.String({ description: 'Good for one use; the answer carries its successor.' }),
  },
  { ...closed, $id: 'Tokens' },
)
export type Tokens = Static<typeof Tokens>

export const assignRoles = command('accounts.assign-roles', {
  summary: 'Set the roles of an account; they hold from its next token on.',
  http: { method: 'PUT', path: '/v1/accounts/{accountId}/roles', scope: 'accounts:write' },
  input: Type.Object(
    { accountId: Id, roles: Type.Array(RoleName, { minItems: 1, uniqueItems: true }) },
    closed,
  ),
  output: Type.Object({ accountId: Id, roles: Type.Array(RoleName) }, closed),
  refusals: { account_not_found: { status: 404, title: 'There is no such account.' } },
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const registered = event('account.registered', {
  summary: 'Somebody opened an account.',
  payload: Type.Object({ accountId: Id, email: Email, name: Name }, closed),
})

export const accounts = service('accounts', {
  summary: 'People, their roles and their tokens.',
  commands: [assignRoles],
  events: [registered],
  concurrency: 10,
  lockMs: 10_000,
})
