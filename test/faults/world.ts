import { randomBytes } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import { connect, type Sql } from '../../db/client.ts'
import { migrate } from '../../db/migrate.ts'
import type { Command, InputOf } from '../../queues/command.ts'
import { createEnqueuer } from '../../queues/enqueue.ts'
import { createAcceptor } from '../../queues/journal.ts'
import { charge } from '../../queues/payments.ts'
import type { RedisSettings } from '../../queues/redis.ts'
import { commands } from '../../queues/registry.ts'
import type { Env } from '../../queues/settings.ts'
import { startTrace } from '../../queues/trace.ts'
import type { ServiceModule } from '../../workers/runtime/service.ts'
import { startServices } from '../../workers/runtime/start.ts'
import { testLog } from '../harness.ts'
import { simulatorEnv } from '../simulator.ts'
import { type Child, startChild } from './children.ts'
import type { Behaviour } from './faulty.ts'

export interface Servers {
  readonly databaseUrl: string
  readonly redisUrl: string
}

/** A database and a Redis prefix of their own, on servers that a test may hurt, with nobody at work yet. */
export interface World {
  readonly databaseUrl: string
  readonly redis: RedisSettings
  /** Connections of the owner, which may look everywhere. */
  readonly sql: Sql
  /** Accepts a charge with that behaviour and tells the queue, as the edge does. Throws if Postgres does not answer. */
  readonly send: (behaviour: Behaviour, measureMs?: number, id?: string) => Promise<string>
  /** The same for another command; somebody asks, if it is not said who. */
  readonly ask: <C extends Command>(
    command: C,
    input: InputOf<C>,
    who?: { readonly id?: string; readonly actorId?: string },
  ) => Promise<string>
  /** What became of a command. */
  readonly ending: (id: string) => Promise<Ending>
  /** Waits until these commands and all that follows from them in this service are settled. */
  readonly settled: (ids: readonly string[], withinMs?: number) => Promise<void>
  /** Starts a worker process; `through` are other addresses of its servers. */
  readonly worker: (env?: Record<string, string>, through?: Partial<Servers>) => Promise<Child>
  /** Services at work in this process; `through` as above. */
  readonly start: (modules: readonly ServiceModule[], through?: Partial<Servers>, env?: Env) => Promise<void>
  readonly close: () => Promise<void>
}

/** What a command left behind. */
export interface Ending {
  readonly state: string
  readonly failures: number
  readonly crashes: number
  /** Effects that were written, by any of its runs. */
  readonly effects: number
  readonly events: number
  /** States of its follow-ups and, behind a slash, their effects. */
  readonly followUps: readonly string[]
}

/** What a command that is worked exactly once leaves behind: the subscriber of its event is no part of these worlds. */
export const once = {
  state: 'succeeded',
  effects: 1,
  events: 1,
  followUps: ['orders.confirm-payment accepted/0', 'payments.refund succeeded/1'],
} as const

const templates = new Map<string, Promise<string>>()

export async function openWorld({ databaseUrl, redisUrl }: Servers): Promise<World> {
  const template = templates.get(databaseUrl) ?? makeTemplate(databaseUrl)
  templates.set(databaseUrl, template)
  const url = await createDatabase(databaseUrl, await template)
  const redis = { url: redisUrl, prefix: `faults-${randomBytes(6).toString('hex')}` }
  const sql = connect(url, { max: 4 })
  const accept = createAcceptor(sql)
  const enqueuer = createEnqueuer(redis, testLog)
  const closing: (() => Promise<void>)[] = []
  const ask: World['ask'] = async (command, input, { id = uuidv7(), actorId = uuidv7() } = {}) => {
    await accept({
      id,
      command,
      input,
      actor: { id: actorId, scopes: [] },
      idempotency: null,
      traceparent: startTrace(),
    })
    enqueuer.add([{ id, type: command.name, delayMs: 0 }])
    return id
  }
  return {
    databaseUrl: url,
    redis,
    sql,
    ask,
    send: (behaviour, measureMs = 100, id = uuidv7()) => ask(charge, chargeOf(behaviour, measureMs), { id }),
    ending: async id => {
      const [row] = await sql<Ending[]>`
        select state, failures, crashes,
          (select count(*) from payments.effects e where e.command = c.id) as effects,
          (select count(*) from journal.events e where e.command_id = c.id) as events,
          array(select f.type || ' ' || f.state || '/' ||
                  (select count(*) from payments.effects e where e.command = f.id)
                from journal.commands f where f.parent_id = c.id order by 1) as "followUps"
        from journal.commands c where id = ${id}`
      if (!row) throw new Error(`there is no command ${id}`)
      return row
    },
    settled: (ids, withinMs) =>
      until(async () => {
        const open =
          await sql`select from journal.commands where settled_at is null and type like 'payments.%'
          and (id = any(${ids as string[]}::uuid[]) or parent_id = any(${ids as string[]}::uuid[])) limit 1`
        return open.count === 0
      }, withinMs),
    worker: (env = {}, through = {}) =>
      startChild('test/faults/worker.ts', {
        DATABASE_URL: through.databaseUrl ?? url,
        REDIS_URL: through.redisUrl ?? redisUrl,
        QUEUE_PREFIX: redis.prefix,
        ...env,
      }),
    start: async (modules, through = {}, env = {}) => {
      const there = { ...redis, url: through.redisUrl ?? redisUrl }
      const own = createEnqueuer(there, testLog)
      const services = await startServices(modules, {
        databaseUrl: through.databaseUrl ?? url,
        redis: there,
        env: { ...simulatorEnv, ...env },
        log: testLog,
        enqueuer: own,
      })
      closing.push(async () => {
        await services.stop(200)
        await own.close()
      })
    },
    close: async () => {
      await Promise.all(closing.map(close => close()))
      await enqueuer.close()
      await sql.end({ timeout: 1 })
    },
  }
}

export async function until(met: () => Promise<boolean> | boolean, withinMs = 20_000): Promise<void> {
  const startedAt = Date.now()
  while (Date.now() < startedAt + withinMs) {
    if (await met()) return
    await Bun.sleep(Date.now() < startedAt + 1_000 ? 20 : 200)
  }
  throw new Error(`it did not come about within ${withinMs} ms`)
}

export const chargeOf = (behaviour: Behaviour, measureMs: number) => ({
  orderId: uuidv7(),
  customerId: uuidv7(),
  attempt: 1,
  amountMinor: measureMs,
  currency: 'EUR',
  paymentMethod: behaviour,
})

async function makeTemplate(serverUrl: string): Promise<string> {
  const name = `faults_${randomBytes(6).toString('hex')}`
  const url = await createDatabase(serverUrl, 'template1', name)
  await migrate(url)
  const sql = connect(url, { max: 1 })
  await sql`create table payments.effects (command uuid not null, run integer not null)`
  await sql`create table catalog.effects (command uuid not null, run integer not null)`
  await silenceClock(sql)
  await sql.end({ timeout: 1 })
  return name
}

/** Takes the ticks of the next hours, so that no command by the clock mixes with those of a test. */
async function silenceClock(sql: Sql): Promise<void> {
  for (const { name, everyMs } of commands) {
    if (everyMs === undefined) continue
    const tick = Math.floor(Date.now() / everyMs)
    await sql`insert into journal.idempotency_keys (actor_id, type, key, fingerprint, command_id)
      select 'clock', ${name}, n::text, '', gen_random_uuid() from generate_series(${tick}::int, ${tick + 1_000}::int) n`
  }
}

async function createDatabase(
  serverUrl: string,
  template: string,
  name = `faults_${randomBytes(6).toString('hex')}`,
): Promise<string> {
  const owner = connect(serverUrl, { max: 1 })
  await owner.unsafe(`create database ${name} template ${template} strategy file_copy`)
  await owner.end({ timeout: 1 })
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}
