import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { JSONValue } from 'postgres'
import { v7 as uuidv7 } from 'uuid'
import { setStock } from '../../queues/catalog.ts'
import { listDeadLetters } from '../../queues/dead-letter.ts'
import { startTrace } from '../../queues/trace.ts'
import { endChildren, keepAlive } from './children.ts'
import type { Behaviour } from './faulty.ts'
import { type PrivateServers, startPrivateServers } from './servers.ts'
import { once, openWorld, until } from './world.ts'

let servers: PrivateServers
beforeAll(async () => {
  servers = await startPrivateServers()
})
afterAll(async () => {
  await endChildren()
  await servers.stop()
})

const crashesMax = 3
const haste = { LOCK_MS: '2000', ATTEMPTS_MAX: '4' }

describe.concurrent('a command that can never succeed becomes a dead letter, and the others keep flowing', () => {
  test('it throws every time', async () => {
    await using shop = await open()
    const bad = await shop.world.send('pm_throws')
    const good = await shop.sendMany(40, 'pm_effect')
    await shop.world.settled([bad, ...good])
    expect((await shop.letterOf(bad))?.error).toMatchObject({ name: 'Error', message: 'a bug' })
    expect(await shop.world.ending(bad)).toMatchObject({ state: 'dead', failures: 4, crashes: 0 })
    expect(await shop.others(good)).toEqual([])
    expect(shop.deaths()).toBe(0)
  })

  test('its input fails its schema: at the first attempt, before the handler', async () => {
    await using shop = await open()
    const id = uuidv7()
    await shop.write({ id, type: 'payments.charge', input: { orderId: 7 } })
    const good = await shop.sendMany(40, 'pm_effect')
    await shop.world.settled([id, ...good])
    expect((await shop.letterOf(id))?.error.name).toBe('InvalidInput')
    expect(await shop.world.ending(id)).toMatchObject({ state: 'dead', failures: 1, crashes: 0 })
    expect(await shop.others(good)).toEqual([])
    expect(shop.deaths()).toBe(0)
  })

  test.each([
    'pm_throws_nul',
    'pm_throws_half',
    'pm_throws_much',
    'pm_throws_no_error',
    'pm_answers_nul',
    'pm_answers_bigint',
  ] as const)('it ends in a way that cannot be written down: %s', async behaviour => {
    await using shop = await open()
    const good = await shop.sendMany(20, 'pm_plain')
    const bad = await shop.world.send(behaviour)
    good.push(...(await shop.sendMany(20, 'pm_plain')))
    await shop.world.settled([bad, ...good])
    expect(await shop.world.ending(bad)).toMatchObject({ state: 'dead', failures: 4, crashes: 0 })
    expect(await shop.letterOf(bad)).toMatchObject({ state: 'open' })
    expect(await shop.others(good, { ...once, effects: 0 })).toEqual([])
    expect(shop.deaths()).toBe(0)
  })

  test('its transaction never ends, and those that were to share it lose one attempt at the most', async () => {
    await using shop = await open({ TIMEOUT_MS: '2000' })
    const good = await shop.sendMany(20, 'pm_effect')
    const bad = await shop.world.send('pm_hangs')
    good.push(...(await shop.sendMany(20, 'pm_effect')))
    await shop.world.settled([bad, ...good], 50_000)
    expect(await shop.world.ending(bad)).toMatchObject({ state: 'dead', failures: 4, crashes: 0, effects: 0 })
    expect(await shop.others(good)).toEqual([])
    const spent = await shop.world.sql`select from journal.commands
      where type = 'payments.charge' and state = 'succeeded' and failures > 1`
    expect(spent.count).toBe(0)

    const later = await shop.sendMany(40, 'pm_effect')
    await shop.world.settled(later)
    expect(await shop.others(later, { ...once, failures: 0 })).toEqual([]) // it holds up nobody any more
    expect(shop.deaths()).toBe(0)
  })

  test('it ends its process: three times, and none of those beside it dies with it', async () => {
    await using shop = await open()
    const good = await shop.sendMany(20, 'pm_slow', 200)
    const bad = await shop.world.send('pm_exits')
    await until(() => shop.deaths() > 0)
    good.push(...(await shop.sendMany(20, 'pm_effect')))
    await shop.world.settled([bad, ...good], 60_000)
    expect((await shop.letterOf(bad))?.error.name).toBe('Poison')
    expect(await shop.world.ending(bad)).toMatchObject({ state: 'dead', crashes: crashesMax })
    expect(shop.deaths()).toBe(crashesMax)
    expect(await shop.others(good)).toEqual([])
  })

  test('it ends its process, and what runs there for another service outlives it', async () => {
    await using shop = await open({ WITH_CATALOG: '1' })
    const innocent = await shop.slowStock(1_500)
    await until(() => shop.isRunning(innocent))
    const bad = await shop.world.send('pm_exits')
    await until(() => shop.areSettled([bad, innocent]), 60_000)
    expect(await shop.stateOf(bad)).toBe('dead')
    expect(await shop.stateOf(innocent)).toBe('succeeded')
    expect(shop.deaths()).toBe(crashesMax)
  })

  test('many end their process, one after the other, and what is slow beside them gets done', async () => {
    await using shop = await open({ WITH_CATALOG: '1' })
    const innocent = await shop.slowStock(1_500)
    const bad: string[] = []
    for (let at = 0; at < 4; at++) {
      await until(async () => (await shop.isRunning(innocent)) || shop.areSettled([innocent]), 60_000)
      bad.push(await shop.world.send('pm_exits'))
      await Bun.sleep(500)
    }
    await until(() => shop.areSettled([innocent, ...bad]), 90_000)
    expect(await shop.stateOf(innocent)).toBe('succeeded')
    for (const id of bad) expect(await shop.stateOf(id)).toBe('dead')
  }, 120_000)
})

/** A world with one worker process that is started again whenever it dies. */
async function open(env: Record<string, string> = {}) {
  const world = await openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })
  const supervisor = await keepAlive(() => world.worker({ ...haste, ...env }))
  const stateOf = async (id: string): Promise<string> =>
    (await world.sql<{ state: string }[]>`select state from journal.commands where id = ${id}`)[0]?.state ??
    ''
  return {
    world,
    deaths: supervisor.deaths,
    stateOf,
    isRunning: async (id: string) => (await stateOf(id)) === 'running',
    areSettled: async (ids: readonly string[]) => {
      const settled = await world.sql`select from journal.commands
        where id = any(${ids as string[]}::uuid[]) and settled_at is not null`
      return settled.count === ids.length
    },
    sendMany: (n: number, behaviour: Behaviour, ms?: number): Promise<string[]> =>
      Promise.all(Array.from({ length: n }, () => world.send(behaviour, ms))),
    slowStock: (ms: number) => world.ask(setStock, { productId: uuidv7(), onHand: ms }),
    /** A command as another release may have left it. */
    write: (command: { id: string; type: string; input: JSONValue }) =>
      world.sql`select journal.write_commands(${world.sql.json([
        { ...command, correlation_id: command.id, traceparent: startTrace() },
      ])})`,
    letterOf: async (id: string) =>
      (await listDeadLetters(world.sql, { limit: 100 })).find(each => each.commandId === id),
    /** Those that did not end as expected. */
    others: async (ids: readonly string[], expected: object = once) => {
      const endings = await Promise.all(ids.map(id => world.ending(id)))
      return endings.filter(ending => !Bun.deepMatch(expected, ending))
    },
    [Symbol.asyncDispose]: async () => {
      await supervisor.stop()
      await world.close()
    },
  }
}
