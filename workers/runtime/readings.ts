import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Sql } from '../../db/client.ts'
import { checkInvariants } from '../../db/invariants.ts'

/** What the database says about the whole. */
export interface Reading {
  readonly queues: readonly QueueReading[]
  readonly deadLetters: readonly { readonly service: string; readonly open: number }[]
  readonly findings: readonly { readonly name: string; readonly holds: boolean; readonly checkedAt: Date }[]
}
export interface QueueReading {
  readonly service: string
  /** Due, and not taken up yet. */
  readonly due: number
  readonly running: number
  readonly later: number
  /** How long the oldest has been due, in seconds. */
  readonly oldestDueS: number
}

export interface Readings {
  /** The last reading, a few seconds old; null if there is none yet, or Postgres does not answer. Never waits. */
  readonly last: () => Reading | null
  readonly stop: () => Promise<void>
}

export interface ReadingDeps {
  readonly sql: Sql
  readonly log: Logger
  readonly now: () => Date
  /** How often one process of all looks at the invariants, in milliseconds; 0 is never. */
  readonly invariantsEveryMs: number
}

const everyMs = 5_000
/** Nobody asked for so long: then nothing is read until somebody does. */
const interestMs = 300_000
/** How far a look goes back, and how long it may take for each invariant. */
const sinceMs = 3_600_000
const eachMs = 200

/** Reads in the background, and only while somebody asks: who asks gets what is there. */
export function startReadings({ sql, log, now, invariantsEveryMs }: ReadingDeps): Readings {
  const stopping = new AbortController()
  let reading: Reading | null = null
  let askedAtMs = 0
  let loop: Promise<void> | null = null

  const look = async () => {
    const [row] = await sql<{ mine: boolean }[]>`select ops.begin_look(${invariantsEveryMs}) as mine`
    if (!row?.mine) return
    const since = new Date(now().getTime() - sinceMs)
    const found = await checkInvariants(sql, { since, eachMs, signal: stopping.signal })
    if (stopping.signal.aborted) return // it did not look at all of them
    const holds = found.map(({ name, state }) => ({
      name,
      holds: state === 'unchecked' ? null : state === 'holds',
    }))
    await sql`select ops.note_findings(${sql.json(holds)})`
  }
  const read = async () => {
    reading = await readAll(sql)
    if (invariantsEveryMs > 0) await look()
  }
  const readWhileAsked = async () => {
    while (!stopping.signal.aborted && now().getTime() - askedAtMs < interestMs) {
      await read().catch(error => {
        if (reading !== null) log.warn({ err: error }, 'metrics of the database are missing for now')
        reading = null
      })
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => {})
    }
    reading = null
    loop = null
  }
  return {
    last: () => {
      askedAtMs = now().getTime()
      if (!stopping.signal.aborted) loop ??= readWhileAsked()
      return reading
    },
    stop: async () => {
      stopping.abort()
      await Promise.race([loop, sleep(1_000, undefined, { ref: false })])
    },
  }
}

async function readAll(sql: Sql): Promise<Reading> {
  const [queues, deadLetters, findings] = await Promise.all([
    sql<QueueReading[]>`select service, due, running, later, oldest_due_s as "oldestDueS" from ops.queues()`,
    sql<Reading['deadLetters'][number][]>`select service, open from ops.dead_letters()`,
    sql<
      Reading['findings'][number][]
    >`select name, holds, checked_at as "checkedAt" from ops.read_findings()`,
  ])
  return { queues, deadLetters, findings }
}
