import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { AnyElysia } from 'elysia'
import type { Logger } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import { connect } from '../../db/client.ts'
import { consume } from '../../queues/consume.ts'
import type { Enqueuer } from '../../queues/enqueue.ts'
import type { RedisSettings } from '../../queues/redis.ts'
import type { Env } from '../../queues/settings.ts'
import { startSweeper } from '../../queues/sweep.ts'
import { createTurns, type Turns } from '../../queues/turns.ts'
import type { BreakerView } from './ask.ts'
import { withErrors } from './http.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { type Readings, startReadings } from './readings.ts'
import { createRemotes, type Remotes } from './remotes.ts'
import { startReporting } from './report.ts'
import type { ServiceDeps, ServiceModule } from './service.ts'

export interface StartOptions {
  readonly databaseUrl: string
  readonly redis: RedisSettings
  readonly env: Env
  readonly log: Logger
  readonly enqueuer: Enqueuer
  /** How often the processes together look at the invariants for metrics, in milliseconds; 0 is never. */
  readonly invariantsEveryMs?: number
}

export interface RunningServices {
  /** The reads of a service of this process. */
  readonly routesOf: (service: string) => AnyElysia
  /** Commands in work at this moment. */
  readonly running: () => number
  /** Throws if Postgres does not answer. */
  readonly ping: () => Promise<void>
  /** The remote sides that this process calls. */
  readonly breakers: () => readonly BreakerView[]
  readonly metrics: Metrics
  /** Takes no more work, finishes or releases what runs, and closes every connection. */
  readonly stop: (graceMs: number) => Promise<void>
}

/** Connections of one service in one process: few keep the p99 of a hot row low. */
const connectionsMax = 8

/** Starts some services in this process: a consumer for each, and one sweeper for all. */
export async function startServices(
  modules: readonly ServiceModule[],
  options: StartOptions,
): Promise<RunningServices> {
  const workerName = `${hostname()}-${process.pid}-${randomBytes(2).toString('hex')}`
  let tellSoon = () => {}
  const remotes = createRemotes({ log: options.log, nowMs: Date.now, onChange: () => tellSoon() })
  const metrics = createMetrics({
    services: modules.map(({ contract }) => contract.name),
    breakers: remotes.views,
    lastReading: () => readings?.last() ?? null,
  })
  let readings: Readings | undefined
  const shared = { ...options, workerName, remotes, metrics, turns: createTurns() }
  const started = await Promise.all(modules.map(module => startService(module, shared)))
  const [{ deps }] = started as [(typeof started)[0]]
  const sweeper = startSweeper({ ...deps, enqueuer: options.enqueuer })
  const services = started.map(({ name }) => name)
  readings = startReadings({ ...deps, log: options.log, invariantsEveryMs: options.invariantsEveryMs ?? 0 })
  const reporting = startReporting({
    sql: deps.sql,
    log: options.log,
    process: workerName,
    services,
    remotes,
  })
  tellSoon = reporting.soon
  return {
    routesOf: service => {
      const found = started.find(({ name }) => name === service)
      if (!found) throw new Error(`service ${service} does not run in this process`)
      return found.routes
    },
    running: () => started.reduce((sum, { consumer }) => sum + consumer.running(), 0),
    ping: async () => {
      await deps.sql`select 1`
    },
    breakers: remotes.views,
    metrics,
    stop: async graceMs => {
      await Promise.all([reporting.stop(), readings?.stop()])
      await Promise.all([sweeper.stop(), ...started.map(({ stop }) => stop(graceMs))])
    },
  }
}

interface ProcessOptions extends StartOptions {
  readonly workerName: string
  readonly turns: Turns
  readonly remotes: Remotes
  readonly metrics: Metrics
}

async function startService(module: ServiceModule, options: ProcessOptions) {
  const { contract } = module
  const { name } = contract
  const log = options.log.child({ service: name })
  const sql = connect(options.databaseUrl, {
    role: `waybill_${name}`,
    max: connectionsMax,
    name: `waybill-${name}`,
  })
  const deps: ServiceDeps = {
    sql,
    log,
    redis: options.redis,
    env: options.env,
    newId: () => uuidv7(),
    now: () => new Date(),
    enqueue: options.enqueuer.add,
    ask: asked => options.remotes.open(asked).ask,
  }
  const { handlers, routes, ready, close } = await module.create(deps)
  await ready?.()
  const consumer = consume({
    ...options,
    ...deps,
    service: contract,
    handlers,
    chance: Math.random,
    onSettled: options.metrics.settled,
  })
  return {
    name,
    deps,
    consumer,
    routes: withErrors(routes, log),
    stop: async (graceMs: number) => {
      await consumer.drain(graceMs)
      await close?.()
      await sql.end({ timeout: 2 })
    },
  }
}
