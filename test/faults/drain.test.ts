import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Child, endChildren } from './children.ts'
import { faultyPayments } from './faulty.ts'
import { type PrivateServers, startPrivateServers } from './servers.ts'
import { openTap } from './tap.ts'
import { once, openWorld, until, type World } from './world.ts'

let servers: PrivateServers
beforeAll(async () => {
  servers = await startPrivateServers()
})
afterAll(async () => {
  await endChildren()
  await servers.stop()
})
const world = () => openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })

const graceMs = 1_000
/** What a drain may take beyond its grace: releasing, and closing connections that do not answer. */
const endingMs = 6_000

describe.concurrent('SIGTERM', () => {
  test('finishes what fits the grace time, releases the rest with no attempt used, and exits with 0', async () => {
    const here = await world()
    const child = await here.worker({ GRACE_MS: String(graceMs) })
    const short = await sendMany(here, 15, 'pm_slow', 400)
    const long = await sendMany(here, 15, 'pm_slow', 20_000)
    await until(() => areRunning(here, [...short, ...long]))
    child.kill('SIGTERM')
    await until(() => child.said.some(line => line.includes('"draining"')))
    await Bun.sleep(200) // a fetch that was under way brings one more
    const later = await sendMany(here, 5, 'pm_slow', 0)
    expect(await endOf(child)).toEqual({ code: 0, inTime: true })

    expect(await statesOf(here, short)).toEqual(['succeeded'])
    expect(await statesOf(here, long)).toEqual(['waiting'])
    expect(await statesOf(here, later)).toEqual(['accepted'])

    await here.sql`update journal.commands set input = input || '{"amountMinor": 0}' where id = any(${long}::uuid[])`
    await here.start([faultyPayments()])
    await here.settled([...short, ...long, ...later], 5_000) // at once: nothing waits for a lock to end
    await expectOnce(here, [...short, ...long, ...later])
    await here.close()
  })

  test('in the middle of a transaction leaves all of it or nothing', async () => {
    const here = await world()
    const child = await here.worker({ GRACE_MS: '0' })
    const ids = await sendMany(here, 6, 'pm_lingers', 3_000)
    await until(() => areRunning(here, ids))
    child.kill('SIGTERM')
    expect(await endOf(child)).toEqual({ code: 0, inTime: true })
    const effects = await here.sql`select from payments.effects`
    expect(effects.count).toBe(0)
    await here.sql`update journal.commands set input = input || '{"amountMinor": 0}' where id = any(${ids}::uuid[])`
    await here.start([faultyPayments()])
    await here.settled(ids, 5_000)
    await expectOnce(here, ids)
    await here.close()
  })

  test('with no grace at all, under load, takes no attempt and no life from any command', async () => {
    const here = await world()
    for (let round = 0; round < 4; round++) {
      const child = await here.worker({ GRACE_MS: '0' })
      const sent = sendMany(here, 200, 'pm_slow', 5)
      await Bun.sleep(60 + round * 20)
      child.kill('SIGTERM')
      expect(await endOf(child)).toEqual({ code: 0, inTime: true })
      await sent
    }
    const spent = await here.sql`select state, failures, crashes from journal.commands
      where state = 'running' or failures > 0 or crashes > 0`
    expect([...spent]).toEqual([])
    await here.start([faultyPayments()])
    const ids = (
      await here.sql<{ id: string }[]>`select id from journal.commands where type = 'payments.charge'`
    ).map(row => row.id)
    await here.settled(ids, 20_000)
    await expectOnce(here, ids)
    await here.close()
  })

  test.each(['redis', 'postgres'] as const)('ends in time although %s has fallen silent', async silent => {
    const here = await world()
    const tap = await openTap(silent === 'redis' ? here.redis.url : here.databaseUrl)
    const child = await here.worker(
      { GRACE_MS: String(graceMs) },
      silent === 'redis' ? { redisUrl: tap.url } : { databaseUrl: tap.url },
    )
    await here.settled(await sendMany(here, 5, 'pm_effect'))
    const ids = await sendMany(here, 5, 'pm_slow', 20_000)
    await until(() => areRunning(here, ids))
    tap.judge = () => 'before'
    tap.strike = () => {}
    child.kill('SIGTERM')
    expect(await endOf(child)).toEqual({ code: 0, inTime: true })
    tap.close()
    await here.close()
  })
})

const sendMany = (here: World, n: number, behaviour: Parameters<World['send']>[0], ms?: number) =>
  Promise.all(Array.from({ length: n }, () => here.send(behaviour, ms)))

async function endOf(child: Child): Promise<{ code: number; inTime: boolean }> {
  const askedAt = performance.now()
  const code = await child.ended
  return { code, inTime: performance.now() - askedAt < graceMs + endingMs }
}

const areRunning = async (here: World, ids: readonly string[]): Promise<boolean> =>
  (
    await here.sql`select from journal.commands where id = any(${ids as string[]}::uuid[]) and state = 'running'`
  ).count === ids.length

async function statesOf(here: World, ids: readonly string[]): Promise<readonly string[]> {
  const rows = await here.sql<{ state: string }[]>`
    select distinct state from journal.commands where id = any(${ids as string[]}::uuid[])`
  return rows.map(row => row.state)
}

async function expectOnce(here: World, ids: readonly string[]): Promise<void> {
  const endings = await Promise.all(ids.map(here.ending))
  expect(endings.filter(each => !Bun.deepMatch({ ...once, failures: 0, crashes: 0 }, each))).toEqual([])
}
