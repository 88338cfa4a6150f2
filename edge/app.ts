import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { secureHeaders } from 'hono/secure-headers'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Sql } from '../db/client.ts'
import type { Enqueuer } from '../queues/enqueue.ts'
import { createAcceptor } from '../queues/journal.ts'
import { commands } from '../queues/registry.ts'
import { createWaiter, readCommand } from '../queues/story.ts'
import { mountCommands } from './commands.ts'
import type { EdgeSettings } from './config.ts'
import type { EdgeEnv } from './context.ts'
import { fromJournal } from './journal.ts'
import { countRequests } from './metrics.ts'
import { createAuthenticator } from './middleware/authenticate.ts'
import { answerProblem, answerUnmounted } from './middleware/problems.ts'
import { trace } from './middleware/trace.ts'
import { createMount } from './mount.ts'
import type { Operation } from './operation.ts'
import { createOutcomes } from './outcomes.ts'
import { mountAccounts } from './routes/accounts.ts'
import { mountBreakers } from './routes/breakers.ts'
import { mountCases } from './routes/cases.ts'
import { mountCatalog } from './routes/catalog.ts'
import { mountCommandReads } from './routes/commands.ts'
import { mountDocumentation } from './routes/documentation.ts'
import { mountHealth } from './routes/health.ts'
import { mountLedger } from './routes/ledger.ts'
import { mountMedia } from './routes/media.ts'
import { mountOps } from './routes/ops.ts'
import { mountOrders } from './routes/orders.ts'
import { mountPayments } from './routes/payments.ts'
import { mountShipping } from './routes/shipping.ts'
import { mountStores } from './routes/stores.ts'
import { mountWebhooks } from './routes/webhooks.ts'
import { createUpstream, type Target } from './upstream.ts'

export type UpstreamName = 'accounts' | 'catalog' | 'orders' | 'payments' | 'shipping' | 'media'

export interface EdgeDeps {
  readonly settings: EdgeSettings
  /** Connections under the role `waybill_edge`. */
  readonly sql: Sql
  readonly enqueuer: Pick<Enqueuer, 'add' | 'ping'>
  /** Where the reads of each service are: an address, or its routes in this process. */
  readonly upstreams: Readonly<Record<UpstreamName, Target>>
  readonly log: Logger
  /** UUIDv7. */
  readonly newId: () => string
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  /** Where requests are counted, if they are. */
  readonly registry?: Registry
}

export interface Edge {
  /** Web-standard: the same under Bun and Deno. */
  readonly fetch: (request: Request) => Response | Promise<Response>
  /** What is mounted, as it is documented. */
  readonly operations: readonly Operation[]
  readonly routes: Hono<EdgeEnv>['routes']
  /** From now on /readyz says no, so that the platform sends its requests elsewhere. */
  readonly drain: () => void
}

export function createApp({
  settings,
  sql,
  enqueuer,
  upstreams,
  log,
  newId,
  nowMs,
  registry,
}: EdgeDeps): Edge {
  const publicUrl = settings.PUBLIC_URL
  const rules = { internalSecret: settings.INTERNAL_SECRET, timeoutMs: settings.UPSTREAM_TIMEOUT_MS }
  const accounts = createUpstream(upstreams.accounts, rules)
  const catalog = createUpstream(upstreams.catalog, rules)
  const orders = createUpstream(upstreams.orders, rules)
  const payments = createUpstream(upstreams.payments, rules)
  const shipping = createUpstream(upstreams.shipping, rules)
  const authenticate = createAuthenticator({
    issuer: settings.TOKEN_ISSUER,
    audience: settings.TOKEN_AUDIENCE,
    fetchKeys: init => accounts.fetch(`${accounts.base}/.well-known/jwks.json`, init),
    nowMs,
  })
  const read = (id: string) => fromJournal(readCommand(sql, id))
  const acceptIn = createAcceptor(sql)
  const outcomes = createOutcomes({ waiter: createWaiter(sql), read, publicUrl })

  const app = new Hono<EdgeEnv>()
  const operations: Operation[] = []
  let draining = false
  const mount = createMount(app, operations, authenticate)

  app.onError(answerProblem({ publicUrl, log }))
  app.notFound(answerUnmounted({ publicUrl, operations }))

  if (registry) app.use(countRequests(registry))
  app.use(secureHeaders(apiHeaders))
  app.use(trace)
  if (settings.CORS_ORIGINS !== '') app.use(cors(corsFor(settings.CORS_ORIGINS)))

  mountHealth(mount, { sql, pingRedis: enqueuer.ping, isDraining: () => draining })
  mountCommands(mount, commands, {
    accept: command => fromJournal(acceptIn(command)),
    enqueue: enqueuer.add,
    outcomes,
    newId,
    bodyMaxBytes: settings.BODY_MAX_BYTES,
  })
  mountCommandReads(mount, { sql, read, outcomes })
  mountAccounts(mount, accounts, settings.BODY_MAX_BYTES)
  mountCatalog(mount, catalog)
  mountStores(mount, catalog)
  mountOrders(mount, orders)
  mountCases(mount, orders)
  mountPayments(mount, payments)
  mountLedger(mount, payments)
  mountShipping(mount, shipping)
  mountWebhooks(mount, { payments, shipping }, settings.BODY_MAX_BYTES)
  mountMedia(mount, createUpstream(upstreams.media, rules), settings.UPLOAD_MAX_BYTES)
  mountOps(mount, { sql, nowMs })
  mountBreakers(mount, { sql, log, bodyMaxBytes: settings.BODY_MAX_BYTES })
  mountDocumentation(mount, { operations, publicUrl })

  return {
    fetch: request => app.fetch(request),
    operations,
    routes: app.routes,
    drain: () => {
      draining = true
    },
  }
}

/** For an API that no page embeds and that serves nothing to run. */
export const apiHeaders = {
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  strictTransportSecurity: 'max-age=31536000; includeSubDomains',
  crossOriginResourcePolicy: 'same-origin',
  xFrameOptions: 'DENY',
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
  removePoweredBy: false,
}

const corsFor = (origins: string) => ({
  origin: origins.split(',').map(each => each.trim()),
  allowHeaders: [
    'authorization',
    'content-type',
    'idempotency-key',
    'if-none-match',
    'prefer',
    'traceparent',
    'x-request-id',
  ],
  exposeHeaders: [
    'location',
    'idempotency-replayed',
    'etag',
    'preference-applied',
    'retry-after',
    'x-request-id',
    'traceparent',
  ],
  maxAge: 600,
})
