import type { Static, TObject, TSchema } from '@sinclair/typebox'
import type { Scope } from './access.ts'
import type { RetryPolicy } from './retry.ts'

/** Where a command is asked for. Path parameters, written `{orderId}`, are fields of the command's input. */
export interface HttpRoute {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: `/v1/${string}`
}

/** The route of a command that people may ask for. */
export interface CommandRoute extends HttpRoute {
  /** What the caller's token must allow. */
  readonly scope: Scope
}

/** A "no" that the caller can act on. It settles the command and changes nothing. */
export interface Refusal {
  readonly status: 402 | 403 | 404 | 409 | 410 | 422
  /** One sentence for people; the same for every refusal of this code. */
  readonly title: string
  /** Machine-readable facts that come with the refusal, such as the quantity left. */
  readonly detail?: TSchema
}
export type Refusals = Readonly<Record<string, Refusal>>

/** Something that happened, told to every command declared `on` it. Named `thing.past-tense`, for ever. */
export interface Event<Name extends string = string, Payload extends TSchema = TSchema> {
  readonly name: Name
  /** One sentence for the reference: when it is emitted. */
  readonly summary: string
  readonly payload: Payload
}

export interface CommandSpec<
  Input extends TObject,
  Output extends TSchema,
  R extends Refusals,
  Http extends CommandRoute | undefined = CommandRoute | undefined,
> {
  /** One sentence for the reference, the dashboard and the OpenAPI operation. */
  readonly summary: string
  /** What is asked. Unknown fields are refused. */
  readonly input: Input
  /** What a succeeded command answers. */
  readonly output: Output
  /** Every way in which it may say no, by code. A handler cannot return another. */
  readonly refusals: R
  readonly retry: RetryPolicy
  /** A handler that runs longer is aborted, and the attempt counts as failed. */
  readonly timeoutMs: number
  /**
   * True if commands of this type that are worked at the same time may share a transaction: rows that several of them
   * want are locked by one statement for all (`oneStatementPerTransaction`), in one order. It costs a third.
   */
  readonly sharesTransaction?: boolean
  /** Present if people may ask for it over HTTP. */
  readonly http?: Http
  /** Present if each such event becomes one command, in the transaction that emits the event. */
  readonly on?: Event<string, Input>
  /** Present if it runs by the clock: once per this many milliseconds, however many workers there are. */
  readonly everyMs?: number
}

/** One kind of durable work, named `service.verb`, for ever. */
export interface Command<
  Name extends string = string,
  Input extends TObject = TObject,
  Output extends TSchema = TSchema,
  R extends Refusals = Refusals,
  Http extends CommandRoute | undefined = CommandRoute | undefined,
> extends CommandSpec<Input, Output, R, Http> {
  readonly name: Name
}

/** Declares a command: everything else about it derives from this, or is demanded by the compiler. */
export function command<
  const Name extends `${string}.${string}`,
  Input extends TObject,
  Output extends TSchema,
  const R extends Refusals,
  const Http extends CommandRoute | undefined = undefined,
>(name: Name, spec: CommandSpec<Input, Output, R, Http>): Command<Name, Input, Output, R, Http> {
  return Object.freeze({ ...spec, name })
}

/** Declares an event. */
export function event<const Name extends `${string}.${string}`, Payload extends TSchema>(
  name: Name,
  spec: Omit<Event<Name, Payload>, 'name'>,
): Event<Name, Payload> {
  return Object.freeze({ ...spec, name })
}

/** One service in its own words. Its name is its queue, its Postgres schema and its folder in `workers/`. */
export interface Service<
  Name extends string = string,
  Commands extends readonly Command[] = readonly Command[],
  Events extends readonly Event[] = readonly Event[],
> {
  readonly name: Name
  /** One sentence for the reference and the OpenAPI tag. */
  readonly summary: string
  readonly commands: Commands
  readonly events: Events
  /** Commands that one process works at a time. */
  readonly concurrency: number
  /** A worker that is silent for this long has lost its job to another, in milliseconds. */
  readonly lockMs: number
}

export function service<
  const Name extends string,
  const Commands extends readonly Command<`${Name}.${string}`>[],
  const Events extends readonly Event[],
>(name: Name, spec: Omit<Service<Name, Commands, Events>, 'name'>): Service<Name, Commands, Events> {
  return Object.freeze({ ...spec, name })
}

export type InputOf<C extends Command> = Static<C['input']>
export type OutputOf<C extends Command> = Static<C['output']>
export type RefusalOf<C extends Command> = Extract<keyof C['refusals'], string>
export type PayloadOf<E extends Event> = Static<E['payload']>

/** The service that owns a command: the part of its name before the dot. */
export const serviceOf = (commandName: string): string => commandName.slice(0, commandName.indexOf('.'))
