import type { JSONValue } from 'postgres'
import type { Sql } from '../db/client.ts'
import type { Actor, Scope } from './access.ts'
import { oneStatement } from './batch.ts'
import type { Command } from './command.ts'
import type { Emitted, FollowUp, Tx } from './outcome.ts'
import { subscribersOf } from './registry.ts'
import { childTrace } from './trace.ts'

/** A command that somebody asks for. */
export interface NewCommand {
  /** UUIDv7, made by the caller. */
  readonly id: string
  readonly command: Command
  /** Already validated by the command's schema. */
  readonly input: unknown
  readonly actor: Actor
  /** Two requests of one actor with the same key are one command; another fingerprint is another request. */
  readonly idempotency: { readonly key: string; readonly fingerprint: string } | null
  readonly traceparent: string
}

export type Accepted =
  | { readonly kind: 'accepted'; readonly id: string }
  /** An earlier request with this key stands for it: `id` is that command's. */
  | { readonly kind: 'replayed'; readonly id: string }
  /** The key was used for a request with another fingerprint. */
  | { readonly kind: 'key_reused' }

/** A command as its worker holds it, under a fencing number. */
export interface Claim {
  readonly id: string
  readonly type: string
  readonly input: unknown
  readonly actor: Actor | null
  readonly fence: number
  readonly failures: number
  readonly crashes: number
  readonly traceparent: string
  readonly acceptedAt: Date
  readonly now: Date
}

export type ClaimAnswer =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  | { readonly kind: 'early'; readonly dueInMs: number }
  /** Settled before, or never accepted: nothing to do. */
  | { readonly kind: 'gone' }

/** A command that came to be inside a transaction; the queue is told of it after the commit. */
export interface Enqueued {
  readonly id: string
  readonly type: string
  readonly delayMs: number
}

/** How an attempt ends, as the journal writes it. */
export interface Settlement {
  readonly id: string
  readonly fence: number
  readonly state: 'succeeded' | 'rejected' | 'waiting' | 'retrying' | 'dead'
  readonly result: unknown
  readonly error: { readonly name: string; readonly message: string; readonly stack: string } | null
  readonly fingerprint: string | null
  readonly because: string | null
  readonly delayMs: number | null
  readonly consequences: Consequences
}

/** The rows that follow from a settlement: commands and events, already told apart by id. */
export interface Consequences {
  readonly commands: readonly (Enqueued & {
    readonly input: unknown
    readonly eventId: string | null
    readonly traceparent: string
  })[]
  readonly events: readonly { readonly id: string; readonly type: string; readonly payload: unknown }[]
}

/** The journal's jsonb parameters: whatever came through a TypeBox schema is JSON. */
const json = (sql: Sql | Tx, value: unknown) => sql.json(value as JSONValue)

/** Accepts commands; those that arrive at about the same time share one insert. Throws if Postgres does not answer. */
export function createAcceptor(sql: Sql): (command: NewCommand) => Promise<Accepted> {
  return oneStatement<NewCommand, Accepted>(async commands => {
    const rows = await sql<{ id: string; commandId: string; verdict: 'replayed' | 'key_reused' }[]>`
        select id, command_id as "commandId", verdict from journal.accept(${json(sql, commands.map(toRow))})`
    const known = new Map(rows.map(row => [row.id, row]))
    return commands.map(({ id }) => {
      const row = known.get(id)
      if (!row) return { kind: 'accepted', id }
      return row.verdict === 'key_reused' ? { kind: 'key_reused' } : { kind: 'replayed', id: row.commandId }
    })
  })
}

const toRow = ({ id, command, input, actor, idempotency, traceparent }: NewCommand) => ({
  id,
  type: command.name,
  input,
  actor_id: actor.id,
  scopes: actor.scopes.join(' '),
  key: idempotency?.key ?? null,
  fingerprint: idempotency?.fingerprint ?? null,
  traceparent,
})

/** Works out what `follow` and `emit` become: one command per follow-up, one event and a command per subscriber. */
export function consequencesOf(
  { follow, emit }: { readonly follow: readonly FollowUp[]; readonly emit: readonly Emitted[] },
  traceparent: string,
  newId: () => string,
): Consequences {
  const child = (command: Command, input: unknown, delayMs: number, eventId: string | null) => ({
    id: newId(),
    type: command.name,
    input,
    delayMs,
    eventId,
    traceparent: childTrace(traceparent),
  })
  const events = emit.map(({ event, payload }) => ({ id: newId(), type: event.name, payload }))
  return {
    events,
    commands: [
      ...follow.map(({ command, input, delayMs }) => child(command, input, delayMs, null)),
      ...events.flatMap(event =>
        subscribersOf(event.type).map(command => child(command, event.payload, 0, event.id)),
      ),
    ],
  }
}

/**
 * Writes follow-ups and events inside a transaction that is no command's own, such as a registration.
 * Answers what to enqueue once that transaction has committed.
 */
export async function record(
  tx: Tx,
  what: { readonly follow?: readonly FollowUp[]; readonly emit?: readonly Emitted[] },
  { actorId, traceparent, newId }: { actorId: string; traceparent: string; newId: () => string },
): Promise<readonly Enqueued[]> {
  const { commands, events } = consequencesOf(
    { follow: what.follow ?? [], emit: what.emit ?? [] },
    traceparent,
    newId,
  )
  const correlationId = newId()
  await tx`select journal.write_events(${json(
    tx,
    events.map(event => ({ ...event, correlation_id: correlationId })),
  )})`
  await tx`select journal.write_commands(${json(
    tx,
    commands.map(({ eventId, delayMs, ...command }) => ({
      ...command,
      actor_id: actorId,
      event_id: eventId,
      delay_ms: delayMs,
      correlation_id: correlationId,
    })),
  )})`
  return commands
}

/**
 * How long a claim is left to its worker, whatever the queue has forgotten, in milliseconds: longer than most commands
 * may take.
 */
export const runningMs = 35_000

/** What a worker process does to the journal. Calls made at about the same time share one statement. */
export interface Journal {
  /** `isHeir`: whoever holds the command has left its job behind, and is taken for dead. */
  readonly claim: (id: string, isHeir: boolean) => Promise<ClaimAnswer>
  /** True if the fence held; false if another worker has taken the command over, and nothing was written. */
  readonly settle: (settlement: Settlement) => Promise<boolean>
}

export function createJournal(sql: Sql, workerName: string): Journal {
  const claimed = oneStatement((asked: readonly Asked[]) => claim(sql, asked, workerName))
  return {
    claim: (id, isHeir) => claimed({ id, isHeir }),
    settle: oneStatement(settlements => settle(sql, settlements)),
  }
}

/**
 * Settles in the transaction of the effects, as its last statement. Fails if the fence does not hold. The settlement is
 * text before anything is sent: if it could fail to be written on the way, the commit behind it would keep the effects.
 */
export function settleEffects(tx: Tx, settlement: Settlement) {
  const text = JSON.stringify(toSettlementRow(settlement))
  return tx`select journal.settle_effects(${text}::text::jsonb)`
}

/** The same for several commands that share a transaction. Fails if one of the fences does not hold. */
export function settleShared(tx: Tx, settlements: readonly Settlement[]) {
  const text = JSON.stringify(settlements.map(toSettlementRow))
  return tx`select journal.settle_shared(${text}::text::jsonb)`
}

/** Whether another worker has taken the command over. */
export const isSuperseded = (error: unknown): boolean =>
  (error as { code?: unknown } | null)?.code === 'WB001'

interface ClaimRow {
  readonly id: string
  readonly type: string
  readonly input: unknown
  readonly actor_id: string | null
  readonly scopes: string
  readonly fence: number | null
  readonly failures: number
  readonly crashes: number
  readonly traceparent: string
  readonly accepted_at: Date
  readonly now: Date
  readonly due_in_ms: number
}

interface Asked {
  readonly id: string
  readonly isHeir: boolean
}

async function claim(sql: Sql, asked: readonly Asked[], workerName: string): Promise<readonly ClaimAnswer[]> {
  const ids = asked.map(({ id }) => id)
  const heirs = asked.filter(({ isHeir }) => isHeir).map(({ id }) => id)
  const rows = await sql<ClaimRow[]>`
    select * from journal.claim(${ids}::uuid[], ${workerName}, ${heirs}::uuid[], ${runningMs})`
  const byId = new Map(rows.map(row => [row.id, row]))
  return ids.map(id => toClaimAnswer(byId.get(id)))
}

function toClaimAnswer(row: ClaimRow | undefined): ClaimAnswer {
  if (!row) return { kind: 'gone' }
  if (row.fence === null) return { kind: 'early', dueInMs: row.due_in_ms }
  const scopes = row.scopes === '' ? [] : (row.scopes.split(' ') as Scope[])
  return {
    kind: 'claimed',
    claim: {
      id: row.id,
      type: row.type,
      input: row.input,
      actor: row.actor_id === null ? null : { id: row.actor_id, scopes },
      fence: row.fence,
      failures: row.failures,
      crashes: row.crashes,
      traceparent: row.traceparent,
      acceptedAt: row.accepted_at,
      now: row.now,
    },
  }
}

async function settle(sql: Sql, settlements: readonly Settlement[]): Promise<readonly boolean[]> {
  const rows = await sql<{ id: string }[]>`
    select journal.settle(${json(sql, settlements.map(toSettlementRow))}) as id`
  const held = new Set(rows.map(row => row.id))
  return settlements.map(({ id }) => held.has(id))
}

const toSettlementRow = ({ delayMs, consequences, ...settlement }: Settlement) => ({
  ...settlement,
  delay_ms: delayMs,
  events: consequences.events,
  commands: consequences.commands.map(({ eventId, delayMs, ...command }) => ({
    ...command,
    event_id: eventId,
    delay_ms: delayMs,
  })),
})

/**
 * Open commands after `after`, in id order, that have been due for `graceMs` and not been claimed for `runningMs`:
 * the queue may have lost them.
 */
export const overdue = (
  sql: Sql,
  { after, graceMs, runningMs, limit }: { after: string; graceMs: number; runningMs: number; limit: number },
) =>
  sql<{ id: string; type: string; overdueMs: number }[]>`
    select id, type, overdue_ms as "overdueMs" from journal.overdue(${after}, ${graceMs}, ${runningMs}, ${limit})`
