import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import type { Logger } from 'pino'
import { serviceOf } from './command.ts'
import { type Enqueued, runningMs } from './journal.ts'
import { failFastRedis, type RedisSettings } from './redis.ts'
import { findCommand, services } from './registry.ts'

export interface Enqueuer {
  /** Tells the queue of accepted commands. Never throws and never waits: what does not arrive, the sweeper adds. */
  readonly add: (commands: readonly Enqueued[]) => void
  /** The same, waiting until Redis has answered or failed to. */
  readonly addNow: (commands: readonly Enqueued[]) => Promise<void>
  /** The same, a job for each, so that the queue does not take a command that it has a job for alone. */
  readonly addEach: (commands: readonly Enqueued[]) => Promise<void>
  /** How long the next job of a service has been waiting to be taken, in milliseconds; 0 if none waits. */
  readonly waitingMs: (service: string) => Promise<number>
  /** Removes jobs that the queue remembers and will give to nobody: they would block their own return. */
  readonly dropStrays: (commands: readonly Pick<Enqueued, 'id' | 'type'>[]) => Promise<void>
  /** True once after Redis did not take something, and for one of all processes after it came back empty. */
  readonly missed: () => Promise<boolean>
  /** False if Redis does not answer within a second. */
  readonly ping: () => Promise<boolean>
  readonly close: () => Promise<void>
}

/** Commands per call of Redis. */
const batchMax = 500
/** Commands of one type that one job carries at the most: several processes shall have a part of them. */
const commandsPerJob = 20
/** While Redis hangs, what is beyond this is left to the sweeper. */
const waitingMax = 20_000
/** How long a process that ends tries to hand over what is still waiting; the rest is left to the sweeper. */
const flushMs = 1_000

/**
 * The only caller of `queue.add`. A job carries the ids of commands and nothing else: the journal has the rest. Those
 * that come together travel together, because a job costs the queue more than a command costs the journal.
 */
export function createEnqueuer(settings: RedisSettings, log: Logger): Enqueuer {
  const redis = failFastRedis(settings.url, log)
  const queues = new Map(
    services.map(({ name }) => [name as string, openQueue(name, redis, settings.prefix)]),
  )
  let waiting: Enqueued[] = []
  let sending = false
  let untaken = false

  const addJobs = async (jobs: readonly NewJob[]): Promise<void> => {
    const perService = [...Map.groupBy(jobs, ({ name }) => serviceOf(name))]
    const sent = await Promise.allSettled(
      perService.map(([service, some]) => queues.get(service)?.addBulk(some)),
    )
    untaken ||= sent.some(({ status }) => status === 'rejected')
  }
  const addNow = (commands: readonly Enqueued[]) => addJobs(toJobs(commands))
  const send = async () => {
    while (waiting.length > 0) {
      const taken = waiting.slice(0, batchMax)
      waiting = waiting.slice(batchMax)
      await addNow(taken)
    }
    sending = false
  }
  return {
    addNow,
    addEach: commands => addJobs(commands.map(each => toJob([each]))),
    waitingMs: async service => {
      const [next] = (await queues.get(service)?.getWaiting(0, 0)) ?? []
      return next ? Math.max(0, Date.now() - next.timestamp - next.delay) : 0
    },
    add: commands => {
      if (waiting.length < waitingMax) waiting.push(...commands)
      else untaken = true
      if (sending || waiting.length === 0) return
      sending = true
      setImmediate(() => void send())
    },
    dropStrays: async commands => {
      const strays = commands.map(async ({ id, type }) => {
        const queue = queues.get(serviceOf(type))
        const state = await queue?.getJobState(id)
        if (state === 'unknown' || state === 'failed' || state === 'completed') await queue?.remove(id)
      })
      await Promise.all(strays)
    },
    missed: async () => {
      const cameBackEmpty = (await redis.set(`${settings.prefix}:filled`, '1', 'NX')) === 'OK'
      const missed = untaken || cameBackEmpty
      untaken = false
      return missed
    },
    ping: () =>
      redis.ping().then(
        () => true,
        () => false,
      ),
    close: async () => {
      for (const deadline = Date.now() + flushMs; sending && Date.now() < deadline; ) await sleep(10)
      redis.disconnect()
    },
  }
}

function openQueue(name: string, connection: ReturnType<typeof failFastRedis>, prefix: string): Queue {
  const queue = new Queue(name, { connection, prefix, skipWaitingForReady: true, skipVersionCheck: true })
  queue.on('error', () => {}) // the connection itself tells of its errors
  return queue
}

/** A job of one command has that command's id; a job of several lists theirs. */
export interface JobData {
  readonly ids?: readonly string[]
}

function toJobs(commands: readonly Enqueued[]): NewJob[] {
  const groups = Map.groupBy(commands, each => (travelsWithOthers(each) ? each.type : each.id))
  return [...groups.values()].flatMap(group => {
    const jobs: NewJob[] = []
    for (let from = 0; from < group.length; from += commandsPerJob)
      jobs.push(toJob(group.slice(from, from + commandsPerJob)))
    return jobs
  })
}

/** One that waits or takes long has a job alone: a job is there until the last of its commands has ended. */
const travelsWithOthers = ({ type, delayMs }: Enqueued): boolean =>
  delayMs === 0 && (findCommand(type)?.timeoutMs ?? runningMs) < runningMs

type NewJob = ReturnType<typeof toJob>

/** Of commands of one type. */
function toJob(commands: readonly Enqueued[]) {
  const [{ id, type, delayMs }, ...others] = commands as [Enqueued, ...Enqueued[]]
  const isAlone = others.length === 0
  return {
    name: type,
    data: (isAlone ? {} : { ids: commands.map(each => each.id) }) satisfies JobData,
    opts: {
      jobId: isAlone ? id : `${id}+${others.length}`, // the command's own is for the job that it may have alone
      ...(delayMs > 0 && { delay: delayMs }),
      // The journal counts attempts and keeps the dead; the queue only carries.
      attempts: 1_000_000,
      backoff: { type: 'fixed', delay: 1_000 },
      removeOnComplete: true,
      removeOnFail: { count: 1_000 },
    },
  }
}
