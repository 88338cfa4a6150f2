import { Redis } from 'ioredis'
import type { Logger } from 'pino'

export interface RedisSettings {
  readonly url: string
  /** Before every key, so that several Waybills can share one Redis. */
  readonly prefix: string
}

/** For producers: gives up at once when Redis is away, within `commandTimeout` when it hangs. */
export const failFastRedis = (url: string, log: Logger): Redis =>
  named(
    new Redis(url, {
      maxRetriesPerRequest: 1,
      enableOfflineQueue: false,
      connectTimeout: 1_000,
      commandTimeout: 1_000,
      retryStrategy: attempt => Math.min(50 * 2 ** attempt, 1_000),
      reconnectOnError: leaveReplica,
    }),
    'producer',
    log,
  )

/** For what can be done without it: gives up at once when Redis is away, and never repeats. */
export const cacheRedis = (url: string, log: Logger): Redis =>
  named(
    new Redis(url, {
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      connectTimeout: 1_000,
      retryStrategy: attempt => Math.min(50 * 2 ** attempt, 1_000),
      reconnectOnError: leaveReplica,
    }),
    'cache',
    log,
  )

/** For workers: waits for Redis as long as it takes. */
export const patientRedis = (url: string, log: Logger): Redis =>
  named(
    new Redis(url, {
      maxRetriesPerRequest: null,
      retryStrategy: attempt => Math.min(50 * 2 ** attempt, 1_000),
      reconnectOnError: leaveReplica,
    }),
    'worker',
    log,
  )

/** After a failover the old server may still answer, and take no writes: find the new one, and ask that. */
const leaveReplica = (error: Error): 2 | false => (error.message.startsWith('READONLY') ? 2 : false)

/** Says once that Redis went away, and once that it is back. */
function named(redis: Redis, use: string, log: Logger): Redis {
  let away = false
  redis.on('error', error => {
    if (away) return
    away = true
    log.warn({ use, error: error.message }, 'redis is away')
  })
  redis.on('ready', () => {
    if (away) log.info({ use }, 'redis is back')
    away = false
  })
  return redis
}
