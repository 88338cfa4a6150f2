import { afterAll, beforeAll, expect, test } from 'bun:test'
import { endChildren } from './children.ts'
import { faultyPayments } from './faulty.ts'
import { type PrivateServers, startPrivateServers } from './servers.ts'
import { staggered } from './staggered.ts'
import { isPoll, type Moment, momentsOfWorker, nameOf, ofItsOwn, openTaps, warmUp } from './steps.ts'
import type { Held } from './tap.ts'
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

const lockMs = 2_000

test.concurrent('a worker whose event loop stands still past its lock wakes up to find its command done, and changes nothing', async () => {
  const here = await world()
  const zombie = await here.worker({ LOCK_MS: String(lockMs) })
  const blockMs = lockMs * 4
  const startedAt = Date.now()
  const ids = [await here.send('pm_blocks', blockMs)]
  await Bun.sleep(500)
  await here.start([faultyPayments({ lockMs })])
  await here.settled(ids)
  expect(Date.now() - startedAt).toBeLessThan(blockMs) // by the other one
  const before = await Promise.all(ids.map(here.ending))
  await until(() => zombie.said.some(line => line.includes('superseded')))
  expect(await Promise.all(ids.map(here.ending))).toEqual(before)
  await here.close()
})

test.concurrent('a worker frozen before or after any step thaws to find its command done by another, and changes nothing', async () => {
  const endings = await staggered(4, ofItsOwn(await momentsOfWorker(world)), freezeAt)
  const wrong = endings.filter(({ ending }) => !Bun.deepMatch(once, ending))
  const missed = endings.filter(({ moment, isFrozen }) => !isFrozen && !isPoll(moment))
  expect({ wrong, missed }).toEqual({ wrong: [], missed: [] })
})

/** A worker stands still at that moment, with its request held; it goes on once another has done its work. */
async function freezeAt(moment: Moment) {
  const here = await world()
  const taps = await openTaps(here)
  const zombie = await here.worker({ LOCK_MS: String(lockMs) }, taps)
  await warmUp('pm_effect', here)
  const frozen = Promise.withResolvers<Held>()
  taps.arm(moment, held => {
    zombie.kill('SIGSTOP')
    frozen.resolve(held)
  })
  const id = await here.send('pm_effect')
  const held = await Promise.race([frozen.promise, Bun.sleep(2_000).then(() => null)])
  return async () => {
    await here.start([faultyPayments({ lockMs })])
    try {
      await whileFrozen(here, id)
    } catch (cause) {
      throw new Error(`frozen ${nameOf(moment)}`, { cause })
    }
    zombie.kill('SIGCONT')
    held?.resume()
    await Bun.sleep(500)
    await here.settled([await here.send('pm_effect')])
    const ending = await here.ending(id)
    zombie.kill('SIGKILL')
    await zombie.ended
    taps.close()
    await here.close()
    return { moment, isFrozen: held !== null, ending }
  }
}

/** What it holds, even in the middle of a transaction, holds up nobody else, and its own command not for long. */
async function whileFrozen(here: World, id: string): Promise<void> {
  await here.settled([await here.send('pm_effect')], 5_000)
  await here.settled([id], 15_000)
}
