import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Behaviour } from './faulty.ts'
import { faultyPayments } from './faulty.ts'
import { type PrivateServers, startPrivateServers } from './servers.ts'
import { isPoll, type Moment, momentsOf, nameOf, openTaps, warmUp } from './steps.ts'
import { once, openWorld } from './world.ts'

let servers: PrivateServers
beforeAll(async () => {
  servers = await startPrivateServers()
})
afterAll(() => servers.stop())

/** What each behaviour leaves behind, wherever a connection was cut. */
const endings = {
  pm_effect: once,
  pm_plain: { ...once, effects: 0 },
  pm_rejected: { state: 'rejected', effects: 0, events: 0, followUps: [] },
  pm_later: { ...once, effects: 2 },
  pm_throws_first: once,
  pm_throws: { state: 'dead', effects: 0, events: 0, followUps: [] },
} as const satisfies Partial<Record<Behaviour, object>>

const lanes = 6
const hasty = faultyPayments({ lockMs: 2_000, attemptsMax: 3 })

describe('a connection cut before or after any request of a command changes nothing of how it ends', () => {
  test.concurrent.each(Object.entries(endings))('%s', async (name, expected) => {
    const behaviour = name as Behaviour
    const moments = await tracedMoments(behaviour)
    const found: Found = { wrong: [], cuts: 0 }
    const rest = moments.values()
    await Promise.all(Array.from({ length: lanes }, () => lane(behaviour, rest, expected, found)))
    expect(found.wrong).toEqual([])
    // What comes by the clock, such as a look of the sweeper, was there when it was traced and may not come again.
    expect(found.cuts).toBeGreaterThan(moments.filter(moment => !isPoll(moment)).length * 0.8)
  })
})

async function tracedMoments(behaviour: Behaviour): Promise<readonly Moment[]> {
  const { world, taps, close } = await openLane()
  const moments = await momentsOf(behaviour, world, taps)
  await close()
  return moments
}

async function openLane() {
  const world = await openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })
  const taps = await openTaps(world)
  await world.start([hasty], taps)
  const close = async () => {
    await world.close()
    taps.close()
  }
  return { world, taps, close }
}

interface Found {
  readonly wrong: unknown[]
  cuts: number
}

/** One moment after the other, on the same services: they have to survive all of it. */
async function lane(behaviour: Behaviour, moments: Iterable<Moment>, expected: object, found: Found) {
  const { world, taps, close } = await openLane()
  for (const moment of moments) {
    await warmUp(behaviour, world)
    let isCut = false
    taps.arm(moment, ({ cut }) => {
      isCut = true
      taps.rest()
      cut()
    })
    const id = await world.send(behaviour)
    await world.settled([id]).catch(() => {}) // its ending tells
    await Bun.sleep(20)
    taps.rest()
    const ending = await world.ending(id)
    if (isCut) found.cuts++
    if (!Bun.deepMatch(expected, ending) || ending.crashes > 0)
      found.wrong.push({ moment: nameOf(moment), isCut, ...ending })
  }
  await close()
}
