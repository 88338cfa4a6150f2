import { expect } from 'bun:test'
import { Redis } from 'ioredis'
import type { Server } from '../../deploy/local/server.ts'
import type { Child } from './children.ts'
import { openWorld, until, type World } from './world.ts'

/** A steady stream of commands, each accepted as the edge accepts it. */
export interface Load {
  /** Accepted so far; each of them is a promise that was given. */
  readonly accepted: readonly string[]
  /** Those that were refused, by error code: no promise was given, though it may have been written down. */
  readonly refused: readonly { readonly id: string; readonly code: string }[]
  /** Waits until so many more were accepted. */
  readonly more: (count: number) => Promise<void>
  readonly stop: () => Promise<void>
}

export interface Scene {
  readonly world: World
  readonly load: Load
  /** Worker processes, two at first. */
  readonly workers: Child[]
  readonly hire: () => Promise<void>
}

/** Locks end soon here, so that the tests need not wait for as long as people may. */
export const lockMs = 2_000
const everyMs = 20
const atOnce = 2

/** Two worker processes and a stream of commands, a fault in the middle of it, and then every promise is looked at. */
export async function underLoad(
  servers: { readonly postgres: Server; readonly redis: Server },
  fault: (scene: Scene) => Promise<void>,
): Promise<Load> {
  const world = await openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })
  const workers: Child[] = []
  const hire = async () => void workers.push(await world.worker({ LOCK_MS: String(lockMs) }))
  await Promise.all([hire(), hire()])
  const load = startLoad(world)
  await load.more(200)
  await fault({ world, load, workers, hire })
  await load.more(20)
  await load.stop()
  await quiet(world, workers)
  await emptied(world)
  expect(
    await world.sql`select from journal.commands where id = any(${[...load.accepted]}::uuid[])`,
  ).toHaveLength(load.accepted.length)
  expect(await brokenPromises(world)).toEqual(kept)
  for (const worker of workers) worker.kill('SIGKILL')
  await Promise.all(workers.map(({ ended }) => ended))
  await world.close()
  return load
}

function startLoad(world: World): Load {
  const accepted: string[] = []
  const refused: { id: string; code: string }[] = []
  const underWay = new Set<Promise<void>>()
  const one = async () => {
    const id = Bun.randomUUIDv7()
    try {
      await world.send('pm_effect', 0, id)
      accepted.push(id)
    } catch (error) {
      refused.push({ id, code: String((error as { code?: string }).code) })
    }
  }
  const timer = setInterval(() => {
    for (let at = 0; at < atOnce; at++) {
      const sent = one().finally(() => underWay.delete(sent))
      underWay.add(sent)
    }
  }, everyMs)
  return {
    accepted,
    refused,
    more: async count => {
      const goal = accepted.length + count
      for (const deadline = Date.now() + 20_000; accepted.length < goal; await Bun.sleep(20))
        if (Date.now() > deadline) throw new Error(`${goal - accepted.length} of ${count} were not accepted`)
    },
    stop: async () => {
      clearInterval(timer)
      await Promise.all(underWay)
    },
  }
}

/** Waits until nothing of these services is open any more. */
async function quiet(world: World, workers: readonly Child[]): Promise<void> {
  const deadline = Date.now() + 40_000
  for (;;) {
    const [open] = await world.sql<{ n: number }[]>`
      select count(*) as n from journal.commands where settled_at is null and type like 'payments.%'`
    if (open?.n === 0) return
    if (Date.now() > deadline) {
      const said = workers.map(worker => worker.said.slice(-20).join('\n')).join('\n\n')
      throw new Error(`${open?.n} commands are still open; the workers said:\n${said}`)
    }
    await Bun.sleep(100)
  }
}

/** The queue has let go of all that is done: no job stays with a worker that has forgotten it. */
async function emptied(world: World): Promise<void> {
  const redis = new Redis(world.redis.url)
  const key = (name: string) => `${world.redis.prefix}:payments:${name}`
  await until(async () => {
    const held = await Promise.all([
      redis.llen(key('wait')),
      redis.llen(key('active')),
      redis.zcard(key('delayed')),
    ])
    return held.every(count => count === 0)
  }, 30_000)
  redis.disconnect()
}

const kept = { unsettled: 0, lost: 0, doubled: 0, events: 0, followUps: 0, half: 0, dead: 0 }

/** How often the promise "once and no more" was broken, over everything that these services were ever asked for. */
async function brokenPromises(world: World): Promise<object> {
  const [row] = await world.sql`
    with charges as (
      select c.id, c.state,
        (select count(*) from payments.effects e where e.command = c.id) as effects,
        (select count(*) from journal.events e where e.command_id = c.id) as events,
        (select count(*) from journal.commands f where f.parent_id = c.id and f.type = 'payments.refund'
          and f.state = 'succeeded' and (select count(*) from payments.effects e where e.command = f.id) = 1) as done,
        (select count(*) from journal.commands f where f.parent_id = c.id) as children
      from journal.commands c where c.type = 'payments.charge'
    )
    select count(*) filter (where state <> 'succeeded') as unsettled, count(*) filter (where effects = 0) as lost,
      count(*) filter (where effects > 1) as doubled, count(*) filter (where events <> 1) as events,
      count(*) filter (where done <> 1 or children <> 2) as "followUps",
      (select count(*) from payments.effects e
        where not exists (select from journal.commands c where c.id = e.command and c.state = 'succeeded')) as half,
      (select count(*) from journal.dead_letters) as dead
    from charges`
  return row ?? {}
}
