import { pino } from 'pino'
import { createEnqueuer } from '../../queues/enqueue.ts'
import { readRuntimeSettings } from './config.ts'
import { guarded } from './http.ts'
import type { ServiceModule } from './service.ts'
import { startServices } from './start.ts'

/** The whole life of a worker process: read settings, start, serve reads, and on SIGTERM drain and exit with 0. */
export async function runService(module: ServiceModule): Promise<void> {
  try {
    await serve(module)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}

async function serve(module: ServiceModule): Promise<void> {
  const env = Object.freeze({ ...process.env })
  const settings = readRuntimeSettings(env)
  const log = pino({ level: settings.LOG_LEVEL, base: null })
  const redis = { url: settings.REDIS_URL, prefix: settings.QUEUE_PREFIX }
  const enqueuer = createEnqueuer(redis, log)
  const services = await startServices([module], {
    databaseUrl: settings.DATABASE_URL,
    redis,
    env,
    log,
    enqueuer,
    invariantsEveryMs: settings.INVARIANTS_EVERY_MS,
  })
  let draining = false
  const ailments = async () => {
    if (draining) return ['draining']
    return services.ping().then(
      () => [],
      () => ['Postgres does not answer'],
    )
  }
  const server = Bun.serve({
    port: settings.PORT,
    hostname: settings.HOST,
    fetch: guarded(services.routesOf(module.contract.name), settings.INTERNAL_SECRET, {
      ailments,
      breakers: services.breakers,
      metrics: services.metrics.scrape,
    }),
  })
  log.info({ service: module.contract.name, port: server.port }, 'ready')

  const stop = async () => {
    if (draining) return
    draining = true
    log.info({ running: services.running() }, 'draining')
    await services.stop(settings.GRACE_MS)
    await enqueuer.close()
    await server.stop(true)
    process.exit(0)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}
