import { afterAll, beforeAll, expect, test } from 'bun:test'
import { payments } from '../../queues/payments.ts'
import { endChildren } from './children.ts'
import { faultyPayments } from './faulty.ts'
import { type PrivateServers, startPrivateServers } from './servers.ts'
import { staggered } from './staggered.ts'
import { isPoll, type Moment, momentsOfWorker, nameOf, ofItsOwn, openTaps, warmUp } from './steps.ts'
import { once, openWorld } from './world.ts'

let servers: PrivateServers
beforeAll(async () => {
  servers = await startPrivateServers()
})
afterAll(async () => {
  await endChildren()
  await servers.stop()
})
const world = () => openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })

const recoveryMs = 15_000
/** What the work on a command consists of, at the least. */
const known = [
  'redis moveToActive',
  'postgres claim',
  'postgres insert into payments.effects',
  'postgres settle_effects',
  'postgres commit',
  'redis moveToFinished',
  'redis addStandardJob',
]

test('a worker killed before and after each step: one effect, one of all that follows, in under 15 s', async () => {
  expect(payments.lockMs).toBe(10_000)
  const moments = await momentsOfWorker(world)
  expect(moments.map(nameOf)).toEqual(
    expect.arrayContaining(known.flatMap(step => [`before ${step}`, `after ${step}`])),
  )
  const endings = await staggered(4, ofItsOwn(moments), dieAt)
  const wrong = endings.filter(({ ending }) => !Bun.deepMatch(once, ending))
  const late = endings.filter(({ recoveredInMs }) => recoveredInMs > recoveryMs)
  const missed = endings.filter(({ moment, died }) => !died && !isPoll(moment))
  expect({ wrong, late, missed }).toEqual({ wrong: [], late: [], missed: [] })
})

/** A worker dies at that moment; then another one comes. */
async function dieAt(moment: Moment) {
  const here = await world()
  const taps = await openTaps(here)
  const child = await here.worker({}, taps)
  await warmUp('pm_effect', here)
  taps.arm(moment, () => child.kill('SIGKILL'))
  const id = await here.send('pm_effect')
  const died = await Promise.race([child.ended.then(() => true), Bun.sleep(2_000).then(() => false)])
  const diedAt = Date.now()
  child.kill('SIGKILL')
  const recover = async () => {
    await here.start([faultyPayments()])
    await here.settled([id], 30_000)
    const recoveredInMs = Date.now() - diedAt
    const ending = await here.ending(id)
    taps.close()
    await here.close()
    return { moment, died, recoveredInMs, ending }
  }
  return recover
}
