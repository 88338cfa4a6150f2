// Everything in one process, for a small shop: `bun db/migrate.ts && bun deploy/single.ts`.
import { type Logger, pino } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import { connect } from '../db/client.ts'
import { createApp } from '../edge/app.ts'
import { readEdgeSettings } from '../edge/config.ts'
import { listen, listenForScrapes } from '../edge/serve.ts'
import { createEnqueuer } from '../queues/enqueue.ts'
import type { Env } from '../queues/settings.ts'
import { modules } from '../workers/index.ts'
import { readRuntimeSettings } from '../workers/runtime/config.ts'
import { startServices } from '../workers/runtime/start.ts'

export interface Single {
  readonly port: number
  /** Where /metrics is, if METRICS_PORT is set. */
  readonly metricsPort: number | null
  /** Takes no more requests and no more work, finishes or releases what runs, and closes every connection. */
  readonly stop: () => Promise<void>
}

/** Starts the edge and all services in this process. Reads never leave it; commands go by Redis all the same. */
export async function startSingle({
  env,
  log,
}: {
  readonly env: Env
  readonly log: Logger
}): Promise<Single> {
  const settings = readEdgeSettings(env)
  const { DATABASE_URL, GRACE_MS } = settings
  const redis = { url: settings.REDIS_URL, prefix: settings.QUEUE_PREFIX }
  const enqueuer = createEnqueuer(redis, log)
  const services = await startServices(modules, {
    databaseUrl: DATABASE_URL,
    redis,
    env,
    log,
    enqueuer,
    invariantsEveryMs: readRuntimeSettings(env).INVARIANTS_EVERY_MS,
  })
  const sql = connect(DATABASE_URL, {
    role: 'waybill_edge',
    max: settings.DATABASE_POOL,
    name: 'waybill-edge',
  })
  const edge = createApp({
    settings,
    sql,
    enqueuer,
    upstreams: {
      accounts: services.routesOf('accounts'),
      catalog: services.routesOf('catalog'),
      orders: services.routesOf('orders'),
      payments: services.routesOf('payments'),
      shipping: services.routesOf('shipping'),
      media: services.routesOf('media'),
    },
    log: log.child({ service: 'edge' }),
    newId: () => uuidv7(),
    nowMs: Date.now,
    ...(settings.METRICS_PORT !== undefined && { registry: services.metrics.registry }),
  })
  const listener = listen(edge.fetch, settings)
  const scrapes = listenForScrapes(services.metrics.scrape, settings)
  return {
    port: listener.port,
    metricsPort: scrapes?.port ?? null,
    stop: async () => {
      edge.drain()
      void scrapes?.stop()
      await Promise.all([Promise.race([listener.stop(), Bun.sleep(GRACE_MS)]), services.stop(GRACE_MS)])
      await Promise.all([enqueuer.close(), sql.end({ timeout: 2 })])
    },
  }
}

if (import.meta.main) {
  const env = Object.freeze({ ...process.env })
  const log = pino({ level: env.LOG_LEVEL || 'info', base: null })
  const stopAsked = Promise.race(
    (['SIGTERM', 'SIGINT'] as const).map(signal => new Promise(resolve => process.once(signal, resolve))),
  )
  try {
    const single = await startSingle({ env, log })
    const { port, metricsPort } = single
    log.info({ ...(metricsPort !== null && { metricsPort }), port }, 'ready')
    await stopAsked
    log.info('draining')
    await single.stop()
    process.exit(0)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}
