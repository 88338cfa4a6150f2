import { type Logger, pino } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import { connect } from '../db/client.ts'
import { createEnqueuer } from '../queues/enqueue.ts'
import { createApp, type Edge } from './app.ts'
import type { EdgeSettings } from './config.ts'

export interface OpenEdge extends Edge {
  readonly log: Logger
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
  const app = createApp({ settings, sql, enqueuer, upstreams, log, newId: () => uuidv7(), nowMs: Date.now })
  return {
    ...app,
    log,
    close: async () => {
      await Promise.all([enqueuer.close(), sql.end({ timeout: 2 })])
    },
  }
}
