import type { Tx as Transaction } from '../db/transaction.ts'
import type { Actor } from './access.ts'
import type { Command, Event, InputOf, OutputOf, PayloadOf, RefusalOf, Service } from './command.ts'

/** Where a command stands. The last three are final. */
export type CommandState = 'accepted' | 'running' | 'waiting' | 'retrying' | 'succeeded' | 'rejected' | 'dead'

/** A command that is written in the same transaction as the effects that call for it. */
export interface FollowUp {
  readonly command: Command
  readonly input: unknown
  /** Not before this many milliseconds after the settlement. */
  readonly delayMs: number
}

/** An event that is written, with one command per subscriber, in the same transaction as the effects. */
export interface Emitted {
  readonly event: Event
  readonly payload: unknown
}

export interface Done<Output = unknown> {
  readonly kind: 'done'
  readonly output: Output
  readonly follow: readonly FollowUp[]
  readonly emit: readonly Emitted[]
}
export interface Rejected<Code extends string = string> {
  readonly kind: 'rejected'
  readonly code: Code
  readonly detail: Readonly<Record<string, unknown>> | null
}
export interface Later {
  readonly kind: 'later'
  readonly delayMs: number
  readonly because: string
}

/** What a handler may answer. A bug or a broken dependency is thrown instead, and retried by the command's policy. */
export type Outcome<C extends Command = Command> = Done<OutputOf<C>> | Rejected<RefusalOf<C>> | Later

/** It is done; `follow` and `emit` become rows in the same transaction. */
export const done = <Output>(
  output: Output,
  then: { readonly follow?: readonly FollowUp[]; readonly emit?: readonly Emitted[] } = {},
): Done<Output> => ({ kind: 'done', output, follow: then.follow ?? [], emit: then.emit ?? [] })

/** A business "no": final, shown to the caller, never retried. Effects of the transaction it ends are rolled back. */
export const rejected = <const Code extends string>(
  code: Code,
  detail: Readonly<Record<string, unknown>> | null = null,
): Rejected<Code> => ({ kind: 'rejected', code, detail })

/** Not yet: run again after `delayMs`, with no attempt used; effects of the transaction it ends are kept. */
export const later = (delayMs: number, because: string): Later => ({ kind: 'later', delayMs, because })

export const follow = <C extends Command>(command: C, input: InputOf<C>, delayMs = 0): FollowUp => ({
  command,
  input,
  delayMs,
})

export const emit = <E extends Event>(event: E, payload: PayloadOf<E>): Emitted => ({ event, payload })

/** A claimed command, as its handler sees it. */
export interface Job<C extends Command = Command> {
  /** The command's id (UUIDv7): the same in every attempt, so it serves as the key of what the command creates. */
  readonly id: string
  readonly input: InputOf<C>
  /** Who asked; null for the system's own commands. Follow-ups keep the id of the one who started it all, without scopes. */
  readonly actor: Actor | null
  /** The fencing number: 1 for the first run, one more for each later one. */
  readonly run: number
  readonly acceptedAt: Date
  /** When this run was claimed, by the clock of Postgres. */
  readonly now: Date
  /** W3C trace context of this command. */
  readonly traceparent: string
  /** Ends when the time is up or the process is drained: give it to every remote call. */
  readonly signal: AbortSignal
}

/** A transaction under the service's own role. */
export type Tx = Transaction

/** The effects of a command: run in the transaction that settles it, and rolled back if the outcome is `rejected`. */
export type Effects<C extends Command = Command> = (tx: Tx) => Promise<Outcome<C>>

/** Reads and calls others first, outside any transaction; then answers, or returns its effects. May run more than once. */
export type Handler<C extends Command = Command> = (job: Job<C>) => Promise<Outcome<C> | Effects<C>>

/** One handler per command of the service; a missing one does not compile. */
export type Handlers<S extends Service> = { readonly [C in S['commands'][number] as C['name']]: Handler<C> }
