import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect, isAway } from '../../db/client.ts'
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

describe('under load, what was accepted is worked once and the rest was refused, when Postgres', () => {
  test('is killed, three times', () =>
    underLoad(async load => {
      for (let round = 0; round < 3; round++) {
        servers.postgres.kill('SIGKILL')
        await Bun.sleep(300)
        await servers.postgres.restart()
        const before = load.accepted.length
        await until(() => load.accepted.length > before + 50)
      }
      expect(load.refused.length).toBeGreaterThan(0)
    }))

  test('is shut down at once, with its clients, and comes back after 3 s', () =>
    underLoad(async load => {
      servers.postgres.kill('SIGQUIT')
      await Bun.sleep(3_000)
      await servers.postgres.restart()
      const before = load.accepted.length
      await until(() => load.accepted.length > before + 50)
      expect(load.refused.length).toBeGreaterThan(0)
    }))

  test('is restarted in an orderly way', () =>
    underLoad(async load => {
      await servers.postgres.restart()
      const before = load.accepted.length
      await until(() => load.accepted.length > before + 50)
    }))

  test('ends connections at random', () =>
    underLoad(async (_, world) => {
      for (let round = 0; round < 40; round++) {
        await world.sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and random() < 0.3`.catch(() => {})
        await Bun.sleep(50)
      }
    }))

  test('gives nobody more connections than a few', () =>
    underLoad(async (load, world) => {
      const owner = connect(servers.postgres.url, { max: 1 })
      const name = new URL(world.databaseUrl).pathname.slice(1)
      const before = load.accepted.length
      for (const role of ['waybill_payments']) {
        await owner.unsafe(`alter role ${role} connection limit 4`)
        await owner.unsafe(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`)
      }
      await until(() => load.accepted.length > before + 300)
      await owner.unsafe('alter role waybill_payments connection limit -1')
      await owner.end({ timeout: 1 })
    }))

  test('cancels whatever takes longer than 100 ms, and much of it does', () =>
    underLoad(async (_, world) => {
      const name = new URL(world.databaseUrl).pathname.slice(1)
      const anew = () => world.sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and usename = current_user and pid <> pg_backend_pid()
          and application_name = 'waybill-payments'`
      await world.sql.unsafe(`alter database ${name} set statement_timeout = '100ms'`)
      await anew()
      for (let round = 0; round < 8; round++) {
        await world.sql.begin(async tx => {
          await tx`lock table journal.events in exclusive mode`
          await Bun.sleep(500)
        })
        await Bun.sleep(20)
      }
      await world.sql.unsafe(`alter database ${name} set statement_timeout = 0`)
      await anew()
    }))
})

/** Two worker processes, a stream of commands, and a fault in the middle of it. */
async function underLoad(fault: (load: Load, world: World) => Promise<void>): Promise<void> {
  const world = await openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })
  const children = await Promise.all([1, 2].map(() => world.worker({ LOCK_MS: '2000' })))
  const load = startLoad(world)
  await until(() => load.accepted.length > 200)
  await fault(load, world)
  await Bun.sleep(500)
  await load.stop()
  await quiet(world).catch(error => {
    throw new Error(children.map(({ said }) => said.slice(-20).join('\n')).join('\n\n'), { cause: error })
  })
  const durable =
    await world.sql`select from journal.commands where id = any(${load.accepted as string[]}::uuid[])`
  expect(durable.count).toBe(load.accepted.length)
  expect(load.refused.filter(({ code }) => !isAway({ code }))).toEqual([])
  expect(await brokenPromises(world)).toEqual(kept)
  expect(children.filter(child => child.hasEnded()).map(({ said }) => said)).toEqual([])
  await endChildren()
  await world.close()
}
