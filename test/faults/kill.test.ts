import { afterAll, beforeAll, expect, test } from 'bun:test'
import { payments } from '../../queues/payments.ts'
import { endChildren } from './children.ts'
import { faultyPayments } from './faulty.ts'
import { measureLag } from './lag.ts'
import { type PrivateServers, startPrivateServers } from './servers.ts'
import { staggered } from './staggered.ts'
import {
  isPoll,
  type Moment,
  momentsOfWorker,
  nameOf,
  ofEachKind,
  ofItsOwn,
  openTaps,
  sendAtOnce,
  warmUp,
} from './steps.ts'
import { once, openWorld } from './world.ts'

let servers: PrivateServers
const lag = measureLag()
beforeAll(async () => {
  servers = await startPrivateServers()
})
afterAll(async () => {
  lag.stop()
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

test.concurrent('a worker killed before and after each step: one effect, one of all that follows, in under 15 s', async () => {
  expect(payments.lockMs).toBe(10_000)
  const moments = ofItsOwn(await momentsOfWorker(world))
  expect(moments.map(nameOf)).toEqual(
    expect.arrayContaining(known.flatMap(step => [`before ${step}`, `after ${step}`])),
  )
  const endings = await staggered(3, moments, moment => dieAt(moment, 1))
  const missed = endings.filter(({ moment, died }) => !died && !isPoll(moment))
  expect({ ...faultsOf(endings), missed }).toEqual({ wrong: [], late: [], missed: [] })
})

test.concurrent('the same in the middle of eight commands at once, some of which share a transaction', async () => {
  const moments = ofEachKind(await momentsOfWorker(world, 8)).filter(({ step }) =>
    /^postgres (claim|savepoint own_0|settle_shared|commit)$/.test(step),
  )
  const endings = await staggered(3, moments, moment => dieAt(moment, 8))
  expect(faultsOf(endings)).toEqual({ wrong: [], late: [] })
  const names = endings.filter(({ died }) => died).map(({ moment }) => nameOf(moment))
  expect(names).toEqual(
    expect.arrayContaining(['before postgres settle_shared', 'after postgres settle_shared']),
  )
})

/** A worker dies at that moment of so many commands; then another one comes. */
async function dieAt(moment: Moment, count: number) {
  const here = await world()
  const taps = await openTaps(here)
  const child = await here.worker({}, taps)
  await warmUp('pm_effect', here)
  taps.arm(moment, () => child.kill('SIGKILL'))
  const ids = await sendAtOnce(here, 'pm_effect', count)
  const died = await Promise.race([child.ended.then(() => true), Bun.sleep(2_000).then(() => false)])
  const diedAt = Date.now()
  const lagBefore = lag.totalMs()
  child.kill('SIGKILL')
  const recover = async () => {
    await here.start([faultyPayments()])
    await here.settled(ids, 30_000)
    const [last] = await here.sql<{ at: Date }[]>`select max(settled_at) as at from journal.commands`
    const recoveredInMs = Number(last?.at) - diedAt - (lag.totalMs() - lagBefore)
    const endings = await Promise.all(ids.map(here.ending))
    taps.close()
    await here.close()
    return { moment, died, recoveredInMs, endings }
  }
  return recover
}

type Recovery = Awaited<ReturnType<Awaited<ReturnType<typeof dieAt>>>>

const faultsOf = (recoveries: readonly Recovery[]) => ({
  wrong: recoveries.filter(({ endings }) => endings.some(ending => !Bun.deepMatch(once, ending))),
  late: recoveries.filter(({ recoveredInMs }) => recoveredInMs > recoveryMs),
})
