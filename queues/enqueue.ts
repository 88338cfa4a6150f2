import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import type { Logger } from 'pino'
import { serviceOf } from './command.ts'
import type { Enqueued } from './journal.ts'
import { failFastRedis, type RedisSettings } from './redis.ts'
import { services } from './registry.ts'

export interface Enqueuer {
  /** Tells the queue of accepted commands. Never throws and never waits: what does not arrive, the sweeper adds. */
  readonly add: (commands: readonly Enqueued[]) => void
  /** The same, waiting until Redis has answered or failed to. */
  readonly addNow: (commands: readonly Enqueued[]) => Promise<void>
  /** Removes jobs that the queue remembers and will give to nobody: they would block their own return. */
  readonly dropStrays: (commands: readonly Pick<Enqueued, 'id' | 'type'>[]) => Promise<void>
  /** True once after Redis did not take something, and for one of all processes after it came back empty. */
  readonly missed: () => Promise<boolean>
  /** False if Redis does not answer within a second. */
  readonly ping: () => Promise<boolean>
  readonly close: () => Promise<void>
}

/** Jobs per call of Redis. */
const batchMax = 500
/** While Redis hangs, what is beyond this is left to the sweeper. */
const waitingMax = 20_000
/** How long a process that ends tries to hand over what is still waiting; the rest is left to the sweeper. */
const flushMs = 1_000

/** The only caller of `queue.add`. A job carries the command's id and nothing else: the journal has the rest. */
export function createEnqueuer(settings: RedisSettings, log: Logger): Enqueuer {
  const redis = failFastRedis(settings.url, log)
  const queues = new Map(
    services.map(({ name }) => [name as string, openQueue(name, redis, settings.prefix)]),
  )
  let waiting: Enqueued[] = []
  let sending = false
  let untaken = false

  const addNow = async (commands: readonly Enqueued[]): Promise<void> => {
    const perService = [...Map.groupBy(commands, ({ type }) => serviceOf(type))]
    const sent = await Promise.allSettled(
      perService.map(([service, some]) => queues.get(service)?.addBulk(some.map(toJob))),
    )
    untaken ||= sent.some(({ status }) => status === 'rejected')
  }
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

const toJob = ({ id, type, delayMs }: Enqueued) => ({
  name: type,
  data: {},
  opts: {
    jobId: id,
    ...(delayMs > 0 && { delay: delayMs }),
    // The journal counts attempts and keeps the dead; the queue only carries.
    attempts: 1_000_000,
    backoff: { type: 'fixed', delay: 1_000 },
    removeOnComplete: true,
    removeOnFail: { count: 1_000 },
  },
})
