import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../db/client.ts'
import type { Failure } from './failure.ts'
import type { CommandState } from './outcome.ts'

/** One run of a command. The last one may still be under way. */
export interface AttemptView {
  /** The fencing number: 1 for the first run. */
  readonly run: number
  readonly worker: string
  readonly startedAt: Date
  /** Null while it runs, and for ever if its worker died. */
  readonly endedAt: Date | null
  readonly outcome: 'running' | 'lost' | CommandState
  readonly error: Failure | null
}

/** Everything that the journal knows of a command. */
export interface CommandView {
  readonly id: string
  readonly type: string
  readonly state: CommandState
  readonly input: unknown
  /** The output if succeeded, `{code, detail}` if rejected, `{name, message}` if dead; else null. */
  readonly result: unknown
  /** Why it waits, if it does. */
  readonly because: string | null
  readonly actorId: string | null
  readonly parentId: string | null
  readonly eventId: string | null
  /** The command that started it all; the key of the story. */
  readonly correlationId: string
  readonly traceparent: string
  readonly dueAt: Date
  readonly acceptedAt: Date
  readonly settledAt: Date | null
  readonly attempts: readonly AttemptView[]
}

export interface EventView {
  readonly id: string
  readonly type: string
  readonly payload: unknown
  readonly commandId: string | null
  readonly emittedAt: Date
}

/** All commands and events that came of one request, oldest first. `parentId` and `eventId` make it a tree. */
export interface Story {
  readonly commands: readonly CommandView[]
  readonly events: readonly EventView[]
}

export const readCommand = async (sql: Sql, id: string): Promise<CommandView | null> =>
  (await readCommands(sql, [id]))[0] ?? null

export async function readStory(sql: Sql, correlationId: string): Promise<Story> {
  const [commands, events] = await Promise.all([
    sql<CommandView[]>`${selectCommands(sql)} where c.correlation_id = ${correlationId} order by c.id`,
    sql<EventView[]>`
      select id, type, payload, command_id as "commandId", emitted_at as "emittedAt"
      from journal.events where correlation_id = ${correlationId} order by id`,
  ])
  return { commands: commands.map(withDates), events }
}

const readCommands = async (sql: Sql, ids: readonly string[]): Promise<readonly CommandView[]> =>
  (await sql<CommandView[]>`${selectCommands(sql)} where c.id = any(${ids as string[]}::uuid[])`).map(
    withDates,
  )

const selectCommands = (sql: Sql) => sql`
  select c.id, c.type, c.state, c.input, c.result, c.because, c.actor_id as "actorId", c.parent_id as "parentId",
    c.event_id as "eventId", c.correlation_id as "correlationId", c.traceparent, c.due_at as "dueAt",
    c.accepted_at as "acceptedAt", c.settled_at as "settledAt",
    coalesce((
      select jsonb_agg(jsonb_build_object('run', a.fence, 'worker', a.worker, 'startedAt', a.started_at,
        'endedAt', a.ended_at, 'outcome', a.outcome, 'error', a.error) order by a.fence)
      from journal.attempts a where a.command_id = c.id), '[]') ||
    case when c.state in ('running', 'succeeded', 'rejected') then jsonb_build_array(jsonb_build_object('run', c.fence,
      'worker', c.worker, 'startedAt', c.started_at, 'endedAt', c.settled_at, 'outcome', c.state, 'error', null))
      else '[]' end as attempts
  from journal.commands c`

const withDates = (command: CommandView): CommandView => ({
  ...command,
  attempts: command.attempts.map(attempt => ({
    ...attempt,
    startedAt: new Date(attempt.startedAt),
    endedAt: attempt.endedAt && new Date(attempt.endedAt),
  })),
})

export interface Waiter {
  /** The command once it is settled; null if that takes longer than `timeoutMs`. */
  readonly settled: (id: string, timeoutMs: number) => Promise<CommandView | null>
}

const pollMs = 10
const errorPauseMs = 250

/**
 * Waits for commands to be settled by asking Postgres for all of them at once, every few milliseconds while
 * anybody waits. Needs no Redis, and its cost does not grow with the number of those who wait.
 */
export function createWaiter(sql: Sql): Waiter {
  const waiting = new Map<string, Set<(command: CommandView) => void>>()
  let polling = false

  const poll = async () => {
    while (waiting.size > 0) {
      try {
        const settled = await sql<{ id: string }[]>`select id from journal.commands
          where id = any(${[...waiting.keys()]}::uuid[]) and settled_at is not null`
        for (const command of settled.length > 0
          ? await readCommands(
              sql,
              settled.map(row => row.id),
            )
          : []) {
          for (const tell of waiting.get(command.id) ?? []) tell(command)
        }
        await sleep(pollMs)
      } catch {
        await sleep(errorPauseMs) // Postgres is away: whoever waits is told when its time is up
      }
    }
    polling = false
  }
  return {
    settled: (id, timeoutMs) =>
      new Promise(resolve => {
        const those = waiting.get(id) ?? new Set()
        const finish = (command: CommandView | null) => {
          clearTimeout(timer)
          those.delete(finish)
          if (those.size === 0) waiting.delete(id)
          resolve(command)
        }
        const timer = setTimeout(() => finish(null), timeoutMs)
        waiting.set(id, those.add(finish))
        if (polling) return
        polling = true
        void poll()
      }),
  }
}
