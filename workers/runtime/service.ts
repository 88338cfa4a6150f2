import type { AnyElysia } from 'elysia'
import type { Logger } from 'pino'
import type { Sql } from '../../db/client.ts'
import type { Service } from '../../queues/command.ts'
import type { Enqueued } from '../../queues/journal.ts'
import type { Handler, Handlers } from '../../queues/outcome.ts'
import type { RedisSettings } from '../../queues/redis.ts'
import type { Env } from '../../queues/settings.ts'
import type { AskOptions, RestingAsk } from './ask.ts'

/** What every service is given; it makes the rest itself. */
export interface ServiceDeps {
  /** Connections under the service's own role: its schema, and the journal's functions. */
  readonly sql: Sql
  /** For what may be forgotten at any time; the truth is in Postgres. */
  readonly redis: RedisSettings
  readonly env: Env
  readonly log: Logger
  /** UUIDv7. */
  readonly newId: () => string
  readonly now: () => Date
  /** Makes the one way to call a remote side: in time, and not while it keeps failing. Names are unique in a process. */
  readonly ask: (options: AskOptions) => RestingAsk
  /** Tells the queue of commands that `record` wrote, after the commit. */
  readonly enqueue: (commands: readonly Enqueued[]) => void
}

/** A service at work: a handler for each of its commands, and its reads. */
export interface ServiceParts<H, Routes extends AnyElysia = AnyElysia> {
  readonly handlers: H
  readonly routes: Routes
  /** Checked before the first command is taken; throws with one line that says what is missing. */
  readonly ready?: () => Promise<void>
  readonly close?: () => Promise<void>
}

/** A contract with what carries it out. Which handler takes which input is known to `defineService` alone. */
export interface ServiceModule<Routes extends AnyElysia = AnyElysia> {
  readonly contract: Service
  readonly create: (deps: ServiceDeps) => MaybeLater<ServiceParts<Readonly<Record<string, Handler>>, Routes>>
}

type MaybeLater<T> = T | Promise<T>

/** Ties a contract to what carries it out. A command without its handler does not compile. */
export const defineService = <S extends Service, Routes extends AnyElysia>(
  contract: S,
  create: (deps: ServiceDeps) => MaybeLater<ServiceParts<Handlers<S>, Routes>>,
): ServiceModule<Routes> => ({ contract, create: create as unknown as ServiceModule<Routes>['create'] })
