import { randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import { connect, type Sql } from '../db/client.ts'
import { migrate } from '../db/migrate.ts'
import type { Actor } from '../queues/access.ts'
import type { Command, InputOf } from '../queues/command.ts'
import { createEnqueuer } from '../queues/enqueue.ts'
import { createAcceptor } from '../queues/journal.ts'
import type { RedisSettings } from '../queues/redis.ts'
import type { Env } from '../queues/settings.ts'
import { type CommandView, createWaiter, readStory, type Story } from '../queues/story.ts'
import { startTrace } from '../queues/trace.ts'
import type { ServiceModule } from '../workers/runtime/service.ts'
import { type RunningServices, startServices } from '../workers/runtime/start.ts'
import { simulatorEnv } from './simulator.ts'

const required = (name: 'DATABASE_URL' | 'REDIS_URL'): string => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: run tests with \`npm test\`, which brings its own servers`)
  return value
}

export interface TestDatabase {
  readonly url: string
  /** A pool under a service's role, or under the owner. Ends with the database. */
  readonly sql: (service?: string) => Sql
  readonly drop: () => Promise<void>
}

/** A migrated database of its own for one suite. */
export async function testDatabase(): Promise<TestDatabase> {
  const url = new URL(required('DATABASE_URL'))
  const owner = connect(url.href, { max: 1 })
  const name = `test_${randomBytes(6).toString('hex')}`
  await owner.unsafe(`create database ${name}`)
  url.pathname = `/${name}`
  await migrate(url.href)
  const pools: Sql[] = []
  return {
    url: url.href,
    sql: service => {
      const pool = connect(url.href, { max: 16, ...(service && { role: `waybill_${service}` }) })
      pools.push(pool)
      return pool
    },
    drop: async () => {
      await Promise.all(pools.map(pool => pool.end({ timeout: 1 })))
      await owner.unsafe(`drop database ${name} with (force)`)
      await owner.end({ timeout: 1 })
    },
  }
}

/** A part of Redis of its own for one suite. */
export const testRedis = (): RedisSettings => ({
  url: required('REDIS_URL'),
  prefix: `test-${randomBytes(6).toString('hex')}`,
})

/** Silent, unless TEST_LOG names a level. */
export const testLog = pino({ level: process.env.TEST_LOG ?? 'silent', base: null })

export interface TestKernel {
  /** Connections of the owner, which may look everywhere. */
  readonly sql: Sql
  readonly database: TestDatabase
  readonly redis: RedisSettings
  readonly services: RunningServices
  /** Accepts a command, as the edge would, and tells the queue. Answers its id. */
  readonly send: <C extends Command>(command: C, input: InputOf<C>, options?: SendOptions) => Promise<string>
  /** The same, and waits until it is settled (what follows from it may not be). */
  readonly run: <C extends Command>(
    command: C,
    input: InputOf<C>,
    options?: SendOptions,
  ) => Promise<CommandView>
  /** Waits until no command of these services is open that is due within `withinMs` (a second, unless said). */
  readonly idle: (withinMs?: number) => Promise<void>
  readonly story: (correlationId: string) => Promise<Story>
  readonly stop: () => Promise<void>
}

export interface SendOptions {
  readonly actor?: Actor
  readonly key?: string
}

const waitMs = 20_000

/** Services at work in this process, on a database and a Redis prefix of their own. */
export async function testKernel({
  services: modules,
  env = {},
  database,
  invariantsEveryMs = 0,
}: {
  readonly services: readonly ServiceModule[]
  readonly env?: Env
  readonly database?: TestDatabase
  readonly invariantsEveryMs?: number
}): Promise<TestKernel> {
  const db = database ?? (await testDatabase())
  const redis = testRedis()
  const sql = db.sql()
  const enqueuer = createEnqueuer(redis, testLog)
  const options = {
    databaseUrl: db.url,
    redis,
    env: { ...simulatorEnv, ...env },
    log: testLog,
    enqueuer,
    invariantsEveryMs,
  }
  const services = await startServices(modules, options)
  const accept = createAcceptor(sql)
  const waiter = createWaiter(sql)

  const send: TestKernel['send'] = async (command, input, { actor, key } = {}) => {
    const accepted = await accept({
      id: uuidv7(),
      command,
      input,
      actor: actor ?? { id: uuidv7(), scopes: [] },
      idempotency: key ? { key, fingerprint: JSON.stringify(input) } : null,
      traceparent: startTrace(),
    })
    if (accepted.kind === 'key_reused') throw new Error(`key ${key} was used for another input`)
    enqueuer.add([{ id: accepted.id, type: command.name, delayMs: 0 }])
    return accepted.id
  }
  return {
    sql,
    database: db,
    redis,
    services,
    send,
    run: async (command, input, options) => {
      const id = await send(command, input, options)
      const settled = await waiter.settled(id, waitMs)
      if (!settled) throw new Error(`${command.name} ${id} was not settled within ${waitMs} ms`)
      return settled
    },
    idle: async (withinMs = 1_000) => {
      const deadline = Date.now() + waitMs
      for (;;) {
        const open = await sql<{ type: string; state: string }[]>`select type, state from journal.commands
          where settled_at is null and due_at < now() + ${withinMs} * interval '1 millisecond'
            and split_part(type, '.', 1) = any(${modules.map(({ contract }) => contract.name)})`
        if (open.length === 0) return
        if (Date.now() > deadline) throw new Error(`still open: ${JSON.stringify(open)}`)
        await Bun.sleep(10)
      }
    },
    story: id => readStory(sql, id),
    stop: async () => {
      await services.stop(1_000)
      await enqueuer.close()
      await db.drop()
    },
  }
}
