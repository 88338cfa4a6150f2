import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Redis } from 'ioredis'
import type { Server } from '../../deploy/local/server.ts'
import { endChildren } from './children.ts'
import { lockMs, type Scene, underLoad } from './load.ts'
import { startPrivatePostgres, startPrivateRedis } from './servers.ts'
import { openTap } from './tap.ts'

let postgres: Server
beforeAll(async () => {
  postgres = await startPrivatePostgres()
})
afterAll(async () => {
  await endChildren()
  await postgres.stop()
})

describe.concurrent('under load, all that was accepted is worked, once, when Redis', () => {
  test('stands still for longer than a lock; accepting goes on meanwhile', () =>
    withRedis(async ({ load, world }, redis) => {
      redis.kill('SIGSTOP')
      await Bun.sleep(500) // what was under way has come to its end
      const startedAt = performance.now()
      await world.send('pm_effect')
      expect(performance.now() - startedAt).toBeLessThan(1_000)
      await load.more(200)
      await Bun.sleep(2 * lockMs)
      redis.kill('SIGCONT')
    }))

  test('is killed and comes back with what it has on disk, three times in a row', () =>
    withRedis(async ({ load }, redis) => {
      for (let round = 0; round < 3; round++) {
        redis.kill('SIGKILL')
        await load.more(30)
        await redis.restart()
        await load.more(10)
      }
    }))

  test('is wiped, five times; what runs for seconds runs to its end, and no second time', () =>
    withRedis(async ({ world }, redis) => {
      const slow = await Promise.all(Array.from({ length: 10 }, () => world.send('pm_slow', 3_000)))
      await Bun.sleep(500)
      for (let round = 0; round < 5; round++) {
        await wipe(redis)
        await Bun.sleep(500)
      }
      await world.settled(slow)
      const [runs] = await world.sql`
        select sum(fence) as count from journal.commands where id = any(${slow}::uuid[])`
      expect(runs?.count).toBe(slow.length)
    }))

  test('is full, and then is not', () =>
    withRedis(async ({ load }, redis) => {
      const client = new Redis(redis.url)
      await client.config('SET', 'maxmemory', '1mb')
      await load.more(200)
      await Bun.sleep(1_000)
      await client.config('SET', 'maxmemory', '0')
      client.disconnect()
    }))

  test('fails over to another, and the old one, still connected, may only be read', async () => {
    const [old, next] = await Promise.all([startPrivateRedis(), startPrivateRedis()])
    const address = await openTap(old.url)
    const load = await underLoad({ postgres, redis: { ...old, url: address.url } }, async ({ load }) => {
      const [client, other] = [new Redis(old.url), new Redis(next.url)]
      const { password } = new URL(old.url)
      await other.config('SET', 'requirepass', password)
      await client.config('SET', 'masterauth', password)
      address.leadTo(next.port)
      await client.replicaof('127.0.0.1', next.port)
      client.disconnect()
      other.disconnect()
      await load.more(100)
    })
    expect(load.refused).toEqual([])
    address.close()
    await Promise.all([old.stop(), next.stop()])
  })

  test('is wiped while it stands still, and all workers die', () =>
    withRedis(async ({ workers, hire }, redis) => {
      redis.kill('SIGSTOP')
      const wiped = wipe(redis)
      await Bun.sleep(1_000)
      for (const worker of workers) worker.kill('SIGKILL')
      redis.kill('SIGCONT')
      await wiped
      await hire()
    }))
})

async function withRedis(fault: (scene: Scene, redis: Server) => Promise<void>): Promise<void> {
  const redis = await startPrivateRedis()
  const load = await underLoad({ postgres, redis }, scene => fault(scene, redis))
  expect(load.refused).toEqual([])
  await redis.stop()
}

async function wipe(redis: Server): Promise<void> {
  const client = new Redis(redis.url)
  await client.flushall()
  client.disconnect()
}
