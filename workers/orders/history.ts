import type { Tx } from '../../queues/outcome.ts'

/** Why an order moves, as its history tells it. */
export interface Note {
  /** The command that moves it. */
  readonly cause: string
  readonly actorId: string | null
  readonly traceparent: string
  readonly at: Date
}

export const toNoteRow = ({ cause, actorId, traceparent, at }: Note) => ({
  cause,
  actor_id: actorId,
  traceparent,
  at: at.toISOString(),
})
export const noteColumns = (tx: Tx) => tx`cause text, actor_id text, traceparent text, at timestamptz`

/** A row of history for each order that moved, told by the note of its step. */
export const writeHistory = (tx: Tx, moved: 'placed' | 'moved') => tx`
  insert into orders.history (order_id, seq, from_state, to_state, cause, actor_id, traceparent, at)
  select moved.id, moved.version, moved.previous_state, moved.state, step.cause, step.actor_id, step.traceparent, step.at
  from ${tx(moved)} moved join step on step.id = moved.id`
