import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect, isAway } from '../../db/client.ts'
import type { Server } from '../../deploy/local/server.ts'
import { endChildren } from './children.ts'
import { type Load, type Scene, underLoad } from './load.ts'
import { startPrivatePostgres, startPrivateRedis } from './servers.ts'
import type { World } from './world.ts'

let redis: Server
beforeAll(async () => {
  redis = await startPrivateRedis()
})
afterAll(async () => {
  await endChildren()
  await redis.stop()
})

describe.concurrent('under load, what was accepted is worked once and the rest was refused, when Postgres', () => {
  test('is killed twice, shut down with its clients for 3 s, and restarted in an orderly way', async () => {
    const load = await withPostgres(async ({ load }, postgres) => {
      for (let round = 0; round < 2; round++) {
        postgres.kill('SIGKILL')
        await Bun.sleep(300)
        await postgres.restart()
        await load.more(50)
      }
      postgres.kill('SIGQUIT')
      await Bun.sleep(3_000)
      await postgres.restart()
      await load.more(50)
      await postgres.restart()
      await load.more(50)
    })
    expect(load.refused.length).toBeGreaterThan(0)
  })

  test('ends connections at random', () =>
    withPostgres(async ({ world }) => {
      for (let round = 0; round < 40; round++) {
        await world.sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and random() < 0.3`.catch(() => {})
        await Bun.sleep(50)
      }
    }))

  test('gives nobody more connections than a few', () =>
    withPostgres(async ({ load, world }) => {
      await world.sql`alter role waybill_payments connection limit 4`
      await endConnections(world)
      await load.more(200)
      await world.sql`alter role waybill_payments connection limit -1`
    }))

  test('cancels whatever takes longer than 100 ms, and much of it does', () =>
    withPostgres(async ({ world }) => {
      const name = new URL(world.databaseUrl).pathname.slice(1)
      const patient = connect(world.databaseUrl, { max: 1 })
      await patient`select 1`
      await world.sql.unsafe(`alter database ${name} set statement_timeout = '100ms'`)
      await endConnections(world)
      for (let round = 0; round < 8; round++) {
        await patient.begin(async tx => {
          await tx`lock table journal.events in exclusive mode`
          await Bun.sleep(500)
        })
        await Bun.sleep(20)
      }
      await patient.unsafe(`alter database ${name} set statement_timeout = 0`)
      // Every connection of that time keeps its limit, also those that this test looks through.
      await patient`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`
      await Bun.sleep(500)
      await patient.end({ timeout: 1 })
    }))
})

async function withPostgres(fault: (scene: Scene, postgres: Server) => Promise<void>): Promise<Load> {
  const postgres = await startPrivatePostgres()
  const load = await underLoad({ postgres, redis }, async scene => {
    await fault(scene, postgres)
    expect(scene.workers.filter(worker => worker.hasEnded()).map(({ said }) => said)).toEqual([])
  })
  expect(load.refused.filter(({ code }) => !isAway({ code }))).toEqual([])
  await postgres.stop()
  return load
}

/** So that every worker opens its connections anew. */
const endConnections = ({ sql }: World) =>
  sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'waybill-payments'`
