import { type Logger, pino } from 'pino'
import { Registry } from 'prom-client'
import { v7 as uuidv7 } from 'uuid'
import { connect } from '../db/client.ts'
import { createEnqueuer } from '../queues/enqueue.ts'
import { exposition, measureProcess } from '../queues/process-metrics.ts'
import { createApp, type Edge } from './app.ts'
import type { EdgeSettings } from './config.ts'

export interface OpenEdge extends Edge {
  readonly log: Logger
  /** Figures of this process as text, if somebody is to see them. */
  readonly scrape: (() => Promise<Response>) | null
  readonly close: () => Promise<void>
}

/** The edge of a process of its own: its connections, and the services behind it by their addresses. */
export function openEdge(settings: EdgeSettings): OpenEdge {
  const log = pino({ level: settings.LOG_LEVEL, base: null }).child({ service: 'edge' })
  const sql = connect(settings.DATABASE_URL, {
    role: 'waybill_edge',
    max: settings.DATABASE_POOL,
    name: 'waybill-edge',
  })
  const enqueuer = createEnqueuer({ url: settings.REDIS_URL, prefix: settings.QUEUE_PREFIX }, log)
  const upstreams = {
    accounts: settings.ACCOUNTS_URL ?? settings.WORKERS_URL,
    catalog: settings.CATALOG_URL ?? settings.WORKERS_URL,
    orders: settings.ORDERS_URL ?? settings.WORKERS_URL,
    payments: settings.PAYMENTS_URL ?? settings.WORKERS_URL,
    shipping: settings.SHIPPING_URL ?? settings.WORKERS_URL,
    media: settings.MEDIA_URL ?? settings.WORKERS_URL,
  }
  const registry = settings.METRICS_PORT === undefined ? undefined : new Registry()
  if (registry) measureProcess(registry)
  const app = createApp({
    settings,
    sql,
    enqueuer,
    upstreams,
    log,
    newId: () => uuidv7(),
    nowMs: Date.now,
    ...(registry && { registry }),
  })
  return {
    ...app,
    log,
    scrape: registry ? () => exposition(registry) : null,
    close: async () => {
      await Promise.all([enqueuer.close(), sql.end({ timeout: 2 })])
    },
  }
}
