import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { v7 as uuidv7 } from 'uuid'
import { connect, type Sql } from '../db/client.ts'
import { createApp, type Edge, type UpstreamName } from '../edge/app.ts'
import { type EdgeSettings, readEdgeSettings } from '../edge/config.ts'
import type { Target } from '../edge/upstream.ts'
import { roles, type Scope } from '../queues/access.ts'
import type { Enqueuer } from '../queues/enqueue.ts'
import { type TestDatabase, testDatabase, testLog } from './harness.ts'

export interface TestEdge {
  readonly edge: Edge
  readonly settings: EdgeSettings
  readonly database: TestDatabase
  /** Connections of the owner, which may look everywhere. */
  readonly sql: Sql
  readonly ask: (method: string, path: string, request?: Asked) => Promise<Answered>
  readonly tokenFor: (person: Person) => Promise<string>
  /** Commands that the queue was told of. */
  readonly enqueued: { id: string; type: string; delayMs: number }[]
  readonly countCommands: () => Promise<number>
  readonly stop: () => Promise<void>
}

export interface Asked {
  readonly token?: string
  readonly key?: string
  /** An object becomes JSON; anything else is sent as it is. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

export interface Person {
  readonly id: string
  readonly scopes: readonly Scope[]
}
export const customer = (): Person => ({ id: uuidv7(), scopes: roles.customer })
export const merchant = (): Person => ({ id: uuidv7(), scopes: roles.merchant })
export const operator = (): Person => ({ id: uuidv7(), scopes: roles.operator })

const keys = await generateKeyPair('EdDSA', { extractable: true })
export const keyId = 'test-key'
export const publicJwk = { ...(await exportJWK(keys.publicKey)), kid: keyId, alg: 'EdDSA', use: 'sig' }
export const { privateKey } = keys

/** A token as accounts would sign it; `claims` and `header` overwrite what is right. */
export const sign = (
  claims: JWTPayload,
  header: Readonly<Record<string, unknown>> = {},
  key: CryptoKey | Uint8Array = privateKey,
): Promise<string> => {
  const seconds = Math.floor(Date.now() / 1_000)
  const right = {
    iss: 'waybill',
    aud: 'waybill-api',
    iat: seconds,
    exp: seconds + 600,
    jti: uuidv7(),
    scope: '',
  }
  return new SignJWT({ ...right, ...claims })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: keyId, ...header })
    .sign(key)
}

/** An edge of this process on a database of its own, with tokens signed here; services where they are given. */
export async function testEdge({
  upstreams = {},
  settings: given = {},
  database,
  enqueuer,
  realKeys = false,
  databaseUrl,
}: {
  readonly upstreams?: Partial<Record<UpstreamName, Target>>
  readonly settings?: Readonly<Record<string, string>>
  readonly database?: TestDatabase
  readonly enqueuer?: Pick<Enqueuer, 'add' | 'ping'>
  /** Tokens are those of accounts, and `tokenFor` is of no use. */
  readonly realKeys?: boolean
  /** Another way to the same database, for the edge alone. */
  readonly databaseUrl?: string
} = {}): Promise<TestEdge> {
  const db = database ?? (await testDatabase())
  const settings = readEdgeSettings({
    DATABASE_URL: db.url,
    REDIS_URL: 'redis://unused',
    PUBLIC_URL: 'http://edge.test',
    ...given,
  })
  const enqueued: TestEdge['enqueued'] = []
  const edgeSql = databaseUrl ? connect(databaseUrl, { role: 'waybill_edge' }) : db.sql('edge')
  const edge = createApp({
    settings,
    sql: edgeSql,
    enqueuer: enqueuer ?? { add: commands => void enqueued.push(...commands), ping: async () => true },
    upstreams: { ...nobodyHome, ...upstreams, ...(!realKeys && { accounts: withKeys(upstreams.accounts) }) },
    log: testLog,
    newId: () => uuidv7(),
    nowMs: Date.now,
  })
  const sql = db.sql()
  return {
    edge,
    settings,
    database: db,
    sql,
    enqueued,
    ask: (method, path, request) => ask(edge.fetch, method, path, request),
    tokenFor: ({ id, scopes }) => sign({ sub: id, scope: scopes.join(' ') }),
    countCommands: async () => {
      const [row] = await sql<{ count: number }[]>`select count(*) from journal.commands`
      return row?.count ?? 0
    },
    stop: async () => {
      if (databaseUrl) await edgeSql.end({ timeout: 1 })
      if (!database) await db.drop()
    },
  }
}

const away: Target = { handle: async () => Promise.reject(new Error('nobody is home')) }
const nobodyHome = {
  accounts: away,
  catalog: away,
  orders: away,
  payments: away,
  shipping: away,
  media: away,
}

/** The public key of these tests, beside whatever else accounts answers. */
const withKeys = (accounts: Target = away): Target => ({
  handle: async request => {
    if (new URL(request.url).pathname === '/.well-known/jwks.json')
      return Response.json({ keys: [publicJwk] })
    if (typeof accounts === 'string') throw new Error('accounts must run in this process')
    return accounts.handle(request)
  },
})

export async function ask(
  fetch: Edge['fetch'],
  method: string,
  path: string,
  { token, key, body, headers: given = {} }: Asked = {},
): Promise<Answered> {
  const isJson = typeof body === 'object' && body !== null && !(body instanceof ReadableStream)
  const headers = {
    ...(token && { authorization: `Bearer ${token}` }),
    ...(key && { 'idempotency-key': key }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...given,
  }
  const init = {
    method,
    headers,
    ...(body !== undefined && { body: isJson ? JSON.stringify(body) : (body as string), duplex: 'half' }),
  }
  const response = await fetch(new Request(new URL(path, 'http://edge.test'), init))
  const text = await response.text()
  const isObject = /json/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    body: isObject && text !== '' ? JSON.parse(text) : { text },
  }
}
