import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Sql } from '../../db/client.ts'
import type { BreakerView } from './ask.ts'
import type { BreakerOrder, Remotes } from './remotes.ts'

export interface ReportDeps {
  readonly sql: Sql
  readonly log: Logger
  /** Of this process, unlike any other's. */
  readonly process: string
  readonly services: readonly string[]
  readonly remotes: Remotes
}

export interface Reporting {
  /** Something has changed: tell of it now. */
  readonly soon: () => void
  readonly stop: () => Promise<void>
}

const everyMs = 2_000
/** How long a stop waits for the farewell. */
const farewellMs = 1_000

/** Tells every few seconds, in one statement, how this process and its remote sides are, and does what operators ordered. */
export function startReporting({ sql, log, process, services, remotes }: ReportDeps): Reporting {
  const stopping = new AbortController()
  let wake = () => {}
  let isAway = false

  const report = async () => {
    const orders = await sql<BreakerOrder[]>`
      select * from ops.report(${process}, ${[...services]}::text[], ${sql.json(remotes.views().map(toRow))})`
    remotes.obey(orders)
  }
  const loop = async () => {
    while (!stopping.signal.aborted) {
      await report().then(
        () => {
          isAway = false
        },
        error => {
          if (!isAway) log.warn({ err: error }, 'operators do not see this process for now')
          isAway = true
        },
      )
      const woken = new Promise<void>(resolve => {
        wake = resolve
      })
      await Promise.race([woken, sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => {})])
    }
  }
  const ended = loop()
  return {
    soon: () => wake(),
    stop: async () => {
      stopping.abort()
      const farewell = ended.then(() => sql`select ops.leave(${process})`).catch(() => {})
      await Promise.race([farewell, sleep(farewellMs, undefined, { ref: false })])
    },
  }
}

/** As the edge reads it (edge/routes/breakers.ts). */
const toRow = ({ since, lastFailure, nextTryAt, because: _order, ...view }: BreakerView) => ({
  ...view,
  since: since.toISOString(),
  lastFailure: lastFailure && { reason: lastFailure.reason, at: lastFailure.at.toISOString() },
  nextTryAt: nextTryAt?.toISOString() ?? null,
})
