// A worker process of the tests in this folder: the real runtime on handlers that misbehave. It ends with its parent.
import { pino } from 'pino'
import { createEnqueuer } from '../../queues/enqueue.ts'
import { readRuntimeSettings } from '../../workers/runtime/config.ts'
import { runService } from '../../workers/runtime/run.ts'
import { startServices } from '../../workers/runtime/start.ts'
import { faultyPayments, type Haste, slowCatalog } from './faulty.ts'

const { LOCK_MS, ATTEMPTS_MAX, TIMEOUT_MS, WITH_CATALOG } = process.env
const haste: Haste = {
  ...(LOCK_MS && { lockMs: Number(LOCK_MS) }),
  ...(ATTEMPTS_MAX && { attemptsMax: Number(ATTEMPTS_MAX) }),
  ...(TIMEOUT_MS && { timeoutMs: Number(TIMEOUT_MS) }),
}
if (WITH_CATALOG) await runBoth()
else await runService(faultyPayments(haste))
for await (const _ of Bun.stdin.stream());
process.exit(1)

/** Two services in one process, as deploy/single.ts has them. */
async function runBoth(): Promise<void> {
  const env = Object.freeze({ ...process.env })
  const settings = readRuntimeSettings(env)
  const log = pino({ level: settings.LOG_LEVEL, base: null })
  const redis = { url: settings.REDIS_URL, prefix: settings.QUEUE_PREFIX }
  const enqueuer = createEnqueuer(redis, log)
  const options = { databaseUrl: settings.DATABASE_URL, redis, env, log, enqueuer }
  await startServices([faultyPayments(haste), slowCatalog(haste)], options)
  log.info('ready')
}
