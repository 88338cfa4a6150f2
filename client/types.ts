import type { Static, TSchema } from '@sinclair/typebox'
import type { Command, InputOf, OutputOf, RefusalOf, Service } from '../queues/command.ts'

type Camel<Text extends string> = Text extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Text
type VerbOf<Name extends string> = Name extends `${string}.${infer Verb}` ? Camel<Verb> : never
/** Only commands with a route can be asked for. */
type Routed<C extends Command> = C extends Command
  ? [NonNullable<C['http']>] extends [never]
    ? never
    : C
  : never

/** The commands of a service as methods: `catalog.set-stock` is `client.catalog.setStock`. */
export type CommandsOf<S extends Service> = {
  readonly [C in Routed<S['commands'][number]> as VerbOf<C['name']>]: Ask<C>
}

/** Asks for a command. It is durably accepted once the promise resolves; throws an ApiProblem if it is not. */
export type Ask<C extends Command> = (input: InputOf<C>, options?: AskOptions) => Promise<Operation<C>>

export interface AskOptions {
  /** Stands for the intent: asking again with the same key is asking once. Made up if absent. */
  readonly idempotencyKey?: string
  /** Has the server hold its answer back for the outcome, up to thirty seconds. */
  readonly waitSeconds?: number
  readonly signal?: AbortSignal
}

/** A command that was accepted. */
export interface Operation<C extends Command> {
  readonly id: string
  /** An earlier request with this key stands for it. */
  readonly replayed: boolean
  /** Its outcome, however long it takes; ends early with the reason of `signal`. */
  readonly wait: (options?: { readonly signal?: AbortSignal }) => Promise<Settled<C>>
}

export type Settled<C extends Command> =
  | { readonly state: 'succeeded'; readonly output: OutputOf<C> }
  | { readonly state: 'rejected'; readonly refusal: RefusalsOf<C> }
  /** It failed for good on the side of the server, where an operator can see why and try again. */
  | { readonly state: 'dead' }

/** Every way in which the command may say no, told apart by `code`. */
export type RefusalsOf<C extends Command> = {
  readonly [Code in RefusalOf<C>]: {
    readonly code: Code
    readonly status: NonNullable<C['refusals'][Code]>['status']
    readonly title: string
    readonly detail: C['refusals'][Code] extends { readonly detail: infer Detail extends TSchema }
      ? Static<Detail>
      : null
  }
}[RefusalOf<C>]
