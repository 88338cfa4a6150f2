import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Sql } from '../db/client.ts'
import { serviceOf } from './command.ts'
import type { Enqueuer } from './enqueue.ts'
import { createAcceptor, overdue, runningMs } from './journal.ts'
import { commands } from './registry.ts'
import { startTrace } from './trace.ts'

export interface SweepDeps {
  readonly sql: Sql
  readonly enqueuer: Enqueuer
  readonly log: Logger
  readonly newId: () => string
  readonly now: () => Date
  /** How long a look may take before it is given up for the next one: a connection may stand still for ever. */
  readonly lookMaxMs?: number
}

/** How long a command may be due before the queue is suspected of having lost it. */
const graceMs = 3_000
/** How long, before it is looked up whether the queue holds a job that it will never give to anyone. */
const stuckMs = 20_000
const intervalMs = 1_000
/** How long a stop waits for a look that is under way. */
const stopMaxMs = 2_000
const pageSize = 1_000
const keysKeptMs = 24 * 3_600_000
const zeroId = '00000000-0000-0000-0000-000000000000'

/**
 * Gives the queue again what the journal holds and the queue may have lost: a page a second, round and round, and
 * everything at once after Redis was away or came back empty. It is safe at any time, in any number of processes: a job
 * of the sweeper's is not added twice (its id is the command's), and a command that has two jobs is claimed once. Also
 * starts what runs by the clock.
 */
export function startSweeper(deps: SweepDeps): { readonly stop: () => Promise<void> } {
  const stopping = new AbortController()
  const { sql, lookMaxMs = 30_000 } = deps
  const rules = { lookMaxMs, signal: stopping.signal, log: deps.log }
  const loops = Promise.all([
    every(intervalMs, sweepOnce(deps), rules),
    every(intervalMs, tickOnce(deps), rules),
    every(keysKeptMs / 24, () => sql`select journal.forget_keys(${keysKeptMs})`, rules),
  ])
  return {
    stop: async () => {
      stopping.abort()
      await Promise.race([loops, sleep(stopMaxMs, undefined, { ref: false })])
    },
  }
}

function sweepOnce({ sql, enqueuer }: SweepDeps): () => Promise<void> {
  let after = zeroId
  return async () => {
    if (!(await enqueuer.ping())) return // away, which its connection has told of
    const everything = await enqueuer.missed()
    if (everything) after = zeroId
    do {
      const page = await overdue(sql, {
        after,
        graceMs: everything ? 0 : graceMs,
        runningMs,
        limit: pageSize,
      })
      const lost = everything ? page : await behind(page, enqueuer)
      await enqueuer.dropStrays(lost.filter(({ overdueMs }) => overdueMs > stuckMs))
      await enqueuer.addEach(lost.map(({ id, type }) => ({ id, type, delayMs: 0 })))
      after = (page.length === pageSize && page.at(-1)?.id) || zeroId
    } while (everything && after !== zeroId)
  }
}

type Overdue = Awaited<ReturnType<typeof overdue>>[number]

/** A queue gives first what came first: what was due well before its next job came is not in it any more. */
async function behind(page: readonly Overdue[], enqueuer: Enqueuer): Promise<readonly Overdue[]> {
  const perService = [...Map.groupBy(page, ({ type }) => serviceOf(type))]
  const found = perService.map(async ([service, some]) => {
    const waitingMs = await enqueuer.waitingMs(service)
    return some.filter(({ overdueMs }) => overdueMs > graceMs + waitingMs)
  })
  return (await Promise.all(found)).flat()
}

/** One command per tick of the clock: the tick is its idempotency key, so all processes together make one. */
function tickOnce({ sql, enqueuer, newId, now }: SweepDeps): () => Promise<void> {
  const accept = createAcceptor(sql)
  const clocked = commands.flatMap(command =>
    command.everyMs ? [{ command, everyMs: command.everyMs }] : [],
  )
  const lastTick = new Map<string, number>()
  return async () => {
    for (const { command, everyMs } of clocked) {
      const tick = Math.floor(now().getTime() / everyMs)
      if (lastTick.get(command.name) === tick) continue
      const accepted = await accept({
        id: newId(),
        command,
        input: {},
        actor: { id: 'clock', scopes: [] },
        idempotency: { key: String(tick), fingerprint: '' },
        traceparent: startTrace(),
      })
      lastTick.set(command.name, tick)
      if (accepted.kind === 'accepted') enqueuer.add([{ id: accepted.id, type: command.name, delayMs: 0 }])
    }
  }
}

interface Rules {
  readonly lookMaxMs: number
  readonly signal: AbortSignal
  readonly log: Logger
}

async function every(
  ms: number,
  look: () => Promise<unknown>,
  { lookMaxMs, signal, log }: Rules,
): Promise<void> {
  while (!signal.aborted) {
    await within(lookMaxMs, look()).catch(error => log.warn({ err: error }, 'the sweeper will try again'))
    await sleep(ms, undefined, { signal }).catch(() => {})
  }
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no end after ${ms} ms`)), ms)
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
