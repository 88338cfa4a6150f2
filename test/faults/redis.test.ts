import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Redis } from 'ioredis'
import { endChildren } from './children.ts'
import { brokenPromises, kept, type Load, quiet, startLoad } from './load.ts'
import { type PrivateServers, startPrivateServers } from './servers.ts'
import { openWorld, until, type World } from './world.ts'

let servers: PrivateServers
beforeAll(async () => {
  servers = await startPrivateServers()
})
afterAll(async () => {
  await endChildren()
  await servers.stop()
})

const lockMs = 2_000

describe('under load, all that was accepted is worked, once, when Redis', () => {
  test('stands still for longer than a lock; accepting goes on meanwhile', () =>
    underLoad(async (load, world) => {
      servers.redis.kill('SIGSTOP')
      await Bun.sleep(500) // what was under way has come to its end
      const before = load.accepted.length
      const started = performance.now()
      await world.send('pm_effect')
      expect(performance.now() - started).toBeLessThan(1_000)
      await Bun.sleep(2 * lockMs)
      expect(load.accepted.length - before).toBeGreaterThan(100)
      servers.redis.kill('SIGCONT')
    }))

  test('is killed, and comes back with what it has on disk', () =>
    underLoad(async load => {
      servers.redis.kill('SIGKILL')
      const before = load.accepted.length
      await until(() => load.accepted.length > before + 50)
      await servers.redis.restart()
    }))

  test('is killed three times in a row', () =>
    underLoad(async () => {
      for (let round = 0; round < 3; round++) {
        servers.redis.kill('SIGKILL')
        await Bun.sleep(200)
        await servers.redis.restart()
        await Bun.sleep(300)
      }
    }))

  test('is wiped, five times', () =>
    underLoad(async () => {
      const redis = new Redis(servers.redis.url)
      for (let round = 0; round < 5; round++) {
        await redis.flushall()
        await Bun.sleep(400)
      }
      redis.disconnect()
    }))

  test('is wiped while commands run for seconds: each runs to its end, and no second time', () =>
    underLoad(async (_, world) => {
      const redis = new Redis(servers.redis.url)
      const slow = await Promise.all(Array.from({ length: 10 }, () => world.send('pm_slow', 3_000)))
      await Bun.sleep(500)
      for (let round = 0; round < 4; round++) {
        await redis.flushall()
        await Bun.sleep(500)
      }
      await world.settled(slow)
      const [runs] = await world.sql`
        select sum(fence) as count from journal.commands where id = any(${slow}::uuid[])`
      expect(runs?.count).toBe(slow.length)
      redis.disconnect()
    }))

  test('is wiped while it stands still, and its workers die', () =>
    underLoad(async (_, world) => {
      const redis = new Redis(servers.redis.url)
      await redis.ping()
      servers.redis.kill('SIGSTOP')
      const flushed = redis.flushall()
      await Bun.sleep(1_000)
      await endChildren()
      servers.redis.kill('SIGCONT')
      await flushed
      redis.disconnect()
      await world.worker({ LOCK_MS: String(lockMs) })
    }))
})

/** Two worker processes, a stream of commands, and a fault in the middle of it. */
async function underLoad(fault: (load: Load, world: World) => Promise<void>): Promise<void> {
  const world = await openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })
  await Promise.all([1, 2].map(() => world.worker({ LOCK_MS: String(lockMs) })))
  const load = startLoad(world)
  await until(() => load.accepted.length > 200)
  await fault(load, world)
  await Bun.sleep(500)
  await load.stop()
  await quiet(world)
  expect(load.refused).toEqual([])
  expect(await brokenPromises(world)).toEqual(kept)
  await emptied(world)
  await endChildren()
  await world.close()
}

/** Every job is acknowledged: the queue holds nothing that the journal has settled. */
async function emptied(world: World): Promise<void> {
  const redis = new Redis(world.redis.url)
  const key = (name: string) => `${world.redis.prefix}:payments:${name}`
  const held = async () =>
    (await redis.llen(key('wait'))) + (await redis.llen(key('active'))) + (await redis.zcard(key('delayed')))
  await until(async () => (await held()) === 0, 20_000)
  redis.disconnect()
}
