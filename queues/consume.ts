import { setTimeout as sleep } from 'node:timers/promises'
import { DelayedError, type Job as QueuedJob, Worker } from 'bullmq'
import { bulkhead } from 'cockatiel'
import type { Logger } from 'pino'
import { isAway, type Sql } from '../db/client.ts'
import { attempt } from './attempt.ts'
import type { Service } from './command.ts'
import { createCommit } from './commit.ts'
import type { Enqueuer, JobData } from './enqueue.ts'
import { type Claim, createJournal, type Journal, type Settlement } from './journal.ts'
import type { Handler } from './outcome.ts'
import { patientRedis, type RedisSettings } from './redis.ts'
import { Interrupted, putOff } from './settlement.ts'
import type { Turns } from './turns.ts'

export interface ConsumeOptions {
  readonly service: Service
  readonly handlers: Readonly<Record<string, Handler>>
  readonly sql: Sql
  readonly redis: RedisSettings
  readonly enqueuer: Enqueuer
  /** Who claims: shown with every attempt. */
  readonly workerName: string
  readonly log: Logger
  readonly newId: () => string
  /** In [0, 1). */
  readonly chance: () => number
  /** Shared by all consumers of this process. */
  readonly turns: Turns
  /** An attempt has ended, so many milliseconds after its claim. */
  readonly onSettled: (type: string, outcome: Settlement['state'] | 'superseded', ms: number) => void
}

export interface Consumer {
  /** Commands in work at this moment. */
  readonly running: () => number
  /**
   * Stops taking work, waits up to `graceMs` for what is running, then interrupts it: an interrupted command
   * goes back to the queue with no attempt used. Ends at most a few seconds after `graceMs`.
   */
  readonly drain: (graceMs: number) => Promise<void>
}

/** The only caller of `new Worker`: claim, call the handler, settle, tell the queue. */
export function consume(options: ConsumeOptions): Consumer {
  const { service, log } = options
  const redis = patientRedis(options.redis.url, log)
  const journal = stubborn(createJournal(options.sql, options.workerName))
  const work = createWork(options, journal)
  const worker = new Worker<JobData>(service.name, (job, token) => work.see(job, token), {
    connection: redis,
    prefix: options.redis.prefix,
    concurrency: service.concurrency,
    lockDuration: service.lockMs,
    // A dead worker's job is seen at the second look after its lock has ended, or at the third if one was skipped.
    stalledInterval: Math.min(1_500, Math.round(service.lockMs / 6)),
    maxStalledCount: 1_000_000, // the journal counts crashes
  })
  worker.on('error', error => {
    // The connection itself tells of its errors.
    if (redis.status === 'ready') log.warn({ err: error }, 'the queue refused something')
  })

  return {
    running: () => work.running.size,
    drain: async graceMs => {
      work.close()
      const closed = worker.close().catch(() => {})
      await Promise.race([closed, sleep(graceMs, undefined, { ref: false })])
      work.interrupt()
      await Promise.race([closed, sleep(2_000, undefined, { ref: false })])
      await Promise.race([worker.close(true).catch(() => {}), sleep(500, undefined, { ref: false })])
      redis.disconnect()
    },
  }
}

function createWork(options: ConsumeOptions, journal: Journal) {
  const { service, handlers, sql, newId, chance, turns, log } = options
  const commands = new Map(service.commands.map(command => [command.name, command]))
  const running = new Map<string, AbortController>()
  /** Commands at a time; the others of a job wait. */
  const places = bulkhead(service.concurrency, Number.POSITIVE_INFINITY)
  let closing = false
  let interrupted = false
  const commit = createCommit({ sql, journal, newId })

  /** A job says that its commands may be due: whether they are, and whose they are, the journal knows. */
  const see = async (job: QueuedJob<JobData>, token: string | undefined): Promise<void> => {
    const isHeir = job.stalledCounter > 0
    const { ids } = job.data
    if (!ids) return postpone(job, token, await places.execute(() => workOn(job.id ?? '', isHeir)))
    const again = ids.map(async id => {
      const delayMs = await places.execute(() => workOn(id, isHeir)).catch(sayAndTryAgain)
      if (delayMs !== null) options.enqueuer.add([{ id, type: job.name, delayMs }])
    })
    await Promise.all(again)
  }
  const sayAndTryAgain = (err: unknown): number => {
    log.warn({ err }, 'a command is left to the next try')
    return 1_000
  }

  /** Claims, runs and settles. Answers after how many milliseconds the queue shall give the command again, or null. */
  const workOn = async (id: string, isHeir: boolean): Promise<number | null> => {
    if (closing) return 0
    if (turns.areClosed()) return 200 + chance() * 800
    // The queue has lost its lock and gives the job again: let this run finish rather than take it over from oneself.
    if (running.has(id)) return 1_000
    const answer = await journal.claim(id, isHeir).catch(nullIfAway)
    if (answer === null) return 1_000
    if (answer.kind === 'gone') return null // settled before; only the acknowledgement was lost
    if (answer.kind === 'early') return answer.dueInMs

    const claimedAt = performance.now()
    const settlement = await run(answer.claim)
    options.onSettled(answer.claim.type, settlement?.state ?? 'superseded', performance.now() - claimedAt)
    if (settlement === null) {
      log.warn({ command: answer.claim.id, type: answer.claim.type }, 'superseded')
      return null
    }
    options.enqueuer.add(settlement.consequences.commands)
    tell(answer.claim, settlement)
    return settlement.delayMs
  }

  const run = async (claim: Claim): Promise<Settlement | null> => {
    const command = commands.get(claim.type)
    const handler = handlers[claim.type]
    if (!command || !handler) return release(claim, 30_000, 'this release does not know the command')
    const turn = await turns.take(claim.crashes)
    if (turn.kind === 'refused')
      return release(claim, turn.delayMs * (0.5 + chance()), 'a suspect of a crash runs alone')
    const controller = new AbortController()
    running.set(claim.id, controller)
    try {
      if (interrupted) return await release(claim, 0, 'the worker is draining')
      return await attempt(claim, command, handler, controller, { commit, journal, newId, chance })
    } finally {
      running.delete(claim.id)
      turn.end()
    }
  }

  const release = async (claim: Claim, delayMs: number, because: string): Promise<Settlement | null> => {
    const settlement = putOff(claim, delayMs, because)
    return (await journal.settle(settlement)) ? settlement : null
  }

  const tell = ({ id, type, fence, now }: Claim, { state, error, because, delayMs }: Settlement) => {
    const line = { command: id, type, run: fence, ms: Date.now() - now.getTime() }
    if (state === 'dead') log.error({ ...line, err: error }, 'dead')
    else if (state === 'retrying') log.warn({ ...line, err: error, delayMs }, 'retrying')
    else log.debug({ ...line, because }, state)
  }
  return {
    see,
    running,
    /** Takes up nothing more; what waits goes back to the queue. */
    close: () => {
      closing = true
    },
    interrupt: () => {
      interrupted = true
      for (const controller of running.values()) controller.abort(new Interrupted('drain'))
    },
  }
}

function nullIfAway(error: unknown): null {
  if (isAway(error)) return null
  throw error // the queue tries again; a job that is none of ours fails there
}

async function postpone(job: QueuedJob, token: string | undefined, delayMs: number | null): Promise<void> {
  if (delayMs === null) return
  await job.moveToDelayed(Date.now() + delayMs, token)
  throw new DelayedError()
}

const settleRetryMs = 500
const settleTriesMax = 60

/** Keeps trying to write down how an attempt ended while Postgres is away, so that it is not taken for a crash. */
function stubborn(journal: Journal): Journal {
  return {
    ...journal,
    settle: async settlement => {
      for (let tries = 1; ; tries++) {
        try {
          return await journal.settle(settlement)
        } catch (error) {
          if (tries >= settleTriesMax || !isAway(error)) throw error
          await sleep(settleRetryMs)
        }
      }
    },
  }
}
