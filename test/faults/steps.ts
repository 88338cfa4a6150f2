import type { Behaviour } from './faulty.ts'
import { type Held, openTap, type Step, type Tap } from './tap.ts'
import type { World } from './world.ts'

/** A moment in the work on one command: just before a server sees a request, or just after it has carried it out. */
export interface Moment {
  readonly step: Step
  /** The how-manieth request of this name. */
  readonly nth: number
  readonly when: 'before' | 'after'
}
export const nameOf = ({ step, nth, when }: Moment): string => `${when} ${step}${nth > 1 ? ` (${nth})` : ''}`

/** What a worker does by the clock, and waiting for work: no part of the work on a command. */
const byTheClock =
  /^postgres (overdue|accept|forget_keys|report|leave)$|^redis (set|ping|bzpopmin|extendLocks|moveStalledJobsToWait)$/

/** Asking for work: how often depends on chance. */
export const isPoll = ({ step }: Moment): boolean => step === 'redis moveToActive'
/** One of the first brings the work; the others find none. */
const isIdlePoll = (moment: Moment): boolean => isPoll(moment) && moment.nth > 2

export interface Taps {
  readonly databaseUrl: string
  readonly redisUrl: string
  /** Every request of a command's work from now on, in order. */
  readonly record: () => Step[]
  /** Strikes at that moment, the next time it comes. */
  readonly arm: (moment: Moment, onStrike: (held: Held) => void) => void
  /** Lets everything pass. */
  readonly rest: () => void
  readonly close: () => void
}

/** Both servers of a world through taps. */
export async function openTaps(world: World): Promise<Taps> {
  const taps: readonly Tap[] = await Promise.all([openTap(world.databaseUrl), openTap(world.redis.url)])
  const [postgres, redis] = taps as readonly [Tap, Tap]
  return {
    databaseUrl: postgres.url,
    redisUrl: redis.url,
    record: () => {
      const steps: Step[] = []
      for (const tap of taps) {
        tap.judge = step => {
          if (!byTheClock.test(step)) steps.push(step)
          return 'pass'
        }
      }
      return steps
    },
    arm: ({ step, nth, when }, onStrike) => {
      let seen = 0
      for (const tap of taps) {
        tap.strike = onStrike
        tap.judge = each => (each === step && ++seen === nth ? when : 'pass')
      }
    },
    rest: () => {
      for (const tap of taps) tap.judge = () => 'pass'
    },
    close: () => {
      for (const tap of taps) tap.close()
    },
  }
}

/**
 * Every moment of such a command, or of so many at once, from its arrival until its follow-up is settled. Somebody is
 * at work behind the taps.
 */
export async function momentsOf(
  behaviour: Behaviour,
  world: World,
  taps: Taps,
  count = 1,
): Promise<readonly Moment[]> {
  await warmUp(behaviour, world)
  const steps = taps.record()
  await world.settled(await sendAtOnce(world, behaviour, count))
  await Bun.sleep(200)
  return aroundEach(steps).filter(moment => !isIdlePoll(moment))
}

/** The moments before and after each of these steps. */
export const aroundEach = (steps: readonly Step[]): readonly Moment[] =>
  steps.flatMap((step, at): readonly Moment[] => {
    const nth = steps.slice(0, at + 1).filter(each => each === step).length
    return [
      { step, nth, when: 'before' },
      { step, nth, when: 'after' },
    ]
  })

/** The same of a worker process in a world of its own. */
export async function momentsOfWorker(open: () => Promise<World>, count = 1): Promise<readonly Moment[]> {
  const world = await open()
  const taps = await openTaps(world)
  const child = await world.worker({}, taps)
  const moments = await momentsOf('pm_effect', world, taps, count)
  child.kill('SIGKILL')
  await child.ended
  taps.close()
  await world.close()
  return moments
}

/** Those before the follow-up is worked on in its turn. */
export const ofItsOwn = (moments: readonly Moment[]): readonly Moment[] =>
  moments.slice(
    0,
    moments.findIndex(({ step, nth }) => step === 'postgres claim' && nth === 2),
  )

/** The first of each name. */
export const ofEachKind = (moments: readonly Moment[]): readonly Moment[] =>
  moments.filter(({ nth }) => nth === 1)

export const sendAtOnce = (world: World, behaviour: Behaviour, count: number): Promise<readonly string[]> =>
  Promise.all(Array.from({ length: count }, () => world.send(behaviour)))

/** Opens connections and loads scripts, so that every command after it makes the same requests. */
export async function warmUp(behaviour: Behaviour, world: World): Promise<void> {
  await world.settled([await world.send(behaviour)])
  await world.sql`delete from journal.commands where type like 'orders.%'` // the sweeper would give them again and again
  await Bun.sleep(200)
}
