import type { JSONValue } from 'postgres'
import type { Sql } from '../db/client.ts'
import type { Failure } from './failure.ts'
import type { Enqueued } from './journal.ts'
import { childTrace } from './trace.ts'

/** A command that is out of attempts. It stays in Postgres until somebody redrives or discards it, and after. */
export interface DeadLetter {
  readonly commandId: string
  readonly type: string
  /** Equal for failures of one cause. */
  readonly fingerprint: string
  readonly error: Failure
  readonly state: 'open' | 'redriven' | 'discarded'
  readonly diedAt: Date
}

/** Dead letters of one cause. */
export interface DeadLetterGroup {
  readonly fingerprint: string
  readonly type: string
  /** Of the latest one. */
  readonly error: Failure
  readonly count: number
  readonly firstAt: Date
  readonly lastAt: Date
}

const columns = (sql: Sql) =>
  sql`command_id as "commandId", type, fingerprint, error, state, died_at as "diedAt"`

/** Open dead letters, newest first; `before` is the `commandId` that the page before ended with. */
export const listDeadLetters = (sql: Sql, { limit, before }: { limit: number; before?: string }) =>
  sql<DeadLetter[]>`select ${columns(sql)} from journal.dead_letters
    where state = 'open' ${before ? sql`and command_id < ${before}` : sql``}
    order by command_id desc limit ${limit}`

/** Open dead letters by cause, the largest group first. */
export const groupDeadLetters = (sql: Sql) =>
  sql<DeadLetterGroup[]>`
    select fingerprint, type, (array_agg(error order by died_at desc))[1] as error, count(*) as count,
      min(died_at) as "firstAt", max(died_at) as "lastAt"
    from journal.dead_letters where state = 'open' group by fingerprint, type order by count(*) desc`

/**
 * Asks for a dead command once more, as a new command that keeps its link to the old one. Answers what to
 * enqueue; null if it was redriven or discarded before, so that two operators make one command.
 */
export async function redrive(sql: Sql, commandId: string, newId: () => string): Promise<Enqueued | null> {
  return sql.begin(async tx => {
    const [dead] = await tx<
      {
        type: string
        input: JSONValue
        actorId: string | null
        scopes: string
        correlationId: string
        traceparent: string
      }[]
    >`
      update journal.dead_letters d set state = 'redriven', closed_at = now() from journal.commands c
      where d.command_id = ${commandId} and d.state = 'open' and c.id = d.command_id
      returning c.type, c.input, c.actor_id as "actorId", c.scopes, c.correlation_id as "correlationId", c.traceparent`
    if (!dead) return null
    const id = newId()
    const again = {
      id,
      type: dead.type,
      input: dead.input,
      actor_id: dead.actorId,
      scopes: dead.scopes,
      parent_id: commandId,
      redrive_of: commandId,
      correlation_id: dead.correlationId,
      traceparent: childTrace(dead.traceparent),
    }
    await tx`select journal.write_commands(${tx.json([again])})`
    return { id, type: dead.type, delayMs: 0 }
  })
}

/** Closes a dead letter without running it again. False if it was not open. */
export async function discard(sql: Sql, commandId: string): Promise<boolean> {
  const closed = await sql`update journal.dead_letters set state = 'discarded', closed_at = now()
    where command_id = ${commandId} and state = 'open'`
  return closed.count === 1
}
