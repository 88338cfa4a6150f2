import type { TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import type { Sql } from '../db/client.ts'
import type { Command } from './command.ts'
import { fingerprintOf, toFailure } from './failure.ts'
import { type Claim, consequencesOf, type Journal, type Settlement, settleIn } from './journal.ts'
import type { Effects, Handler, Job, Outcome } from './outcome.ts'
import { crashesMax } from './turns.ts'

export interface AttemptDeps {
  readonly sql: Sql
  readonly journal: Journal
  readonly newId: () => string
  /** In [0, 1). */
  readonly chance: () => number
}

/** Why a running attempt is ended from outside. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly because: 'timeout' | 'drain'
  constructor(because: 'timeout' | 'drain') {
    super(because === 'timeout' ? 'the handler ran out of time' : 'the worker is draining')
    this.because = because
  }
}

/** A command whose stored input its own schema refuses: no retry can mend it. */
export class InvalidInput extends Error {
  override readonly name = 'InvalidInput'
}

/** A command whose workers keep dying under it. */
export class Poison extends Error {
  override readonly name = 'Poison'
}

/**
 * One attempt at a claimed command: calls the handler and settles. Answers the settlement that holds,
 * or null if the fence did not: then another worker owns the command, and nothing was changed.
 * Throws only if Postgres cannot be reached to write down how it ended.
 */
export async function attempt(
  claim: Claim,
  command: Command,
  handler: Handler,
  controller: AbortController,
  deps: AttemptDeps,
): Promise<Settlement | null> {
  const timer = setTimeout(() => controller.abort(new Interrupted('timeout')), command.timeoutMs)
  try {
    refusePoison(claim, command)
    return await Promise.race([perform(claim, handler, controller.signal, deps), aborted(controller.signal)])
  } catch (thrown) {
    return settle(deps.journal, failed(claim, command, thrown, deps.chance()))
  } finally {
    clearTimeout(timer)
  }
}

async function perform(
  claim: Claim,
  handler: Handler,
  signal: AbortSignal,
  deps: AttemptDeps,
): Promise<Settlement | null> {
  const returned = await handler(toJob(claim, signal))
  if (typeof returned === 'function') return commit(claim, returned, deps)
  return settle(deps.journal, settlementOf(claim, returned, deps.newId))
}

/** Effects, settlement and what follows from it: one transaction. */
async function commit(
  claim: Claim,
  effects: Effects<Command>,
  deps: AttemptDeps,
): Promise<Settlement | null> {
  const verdict: { settlement: Settlement | null; rolledBack: 'rejected' | 'superseded' | null } = {
    settlement: null,
    rolledBack: null,
  }
  const rollBack = (because: 'rejected' | 'superseded'): never => {
    verdict.rolledBack = because
    throw new Error(because)
  }
  try {
    await deps.sql.begin(async tx => {
      const outcome = await effects(tx)
      verdict.settlement = settlementOf(claim, outcome, deps.newId)
      if (outcome.kind === 'rejected') rollBack('rejected')
      if (!(await settleIn(tx, verdict.settlement))) rollBack('superseded')
    })
    return verdict.settlement
  } catch (thrown) {
    if (verdict.rolledBack === 'superseded') return null
    if (verdict.rolledBack === 'rejected' && verdict.settlement)
      return settle(deps.journal, verdict.settlement)
    throw thrown
  }
}

const settle = async (journal: Journal, settlement: Settlement): Promise<Settlement | null> =>
  (await journal.settle(settlement)) ? settlement : null

const toJob = (claim: Claim, signal: AbortSignal): Job => ({
  id: claim.id,
  input: claim.input as Job['input'],
  actor: claim.actor,
  run: claim.fence,
  acceptedAt: claim.acceptedAt,
  now: claim.now,
  traceparent: claim.traceparent,
  signal,
})

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

function refusePoison(claim: Claim, command: Command): void {
  if (claim.crashes >= crashesMax) throw new Poison(`${claim.crashes} workers died while they worked on it`)
  const schema = validatorOf(command.input)
  if (schema.Check(claim.input)) return
  const wrong = schema.Errors(claim.input).First()
  throw new InvalidInput(`input${wrong?.path}: ${wrong?.message}`)
}

const validators = new WeakMap<TSchema, TypeCheck<TSchema>>()
/** The compiled check of a schema, made once. */
export function validatorOf(schema: TSchema): TypeCheck<TSchema> {
  const known = validators.get(schema)
  if (known) return known
  const made = TypeCompiler.Compile(schema)
  validators.set(schema, made)
  return made
}

const plain = {
  result: null,
  error: null,
  fingerprint: null,
  because: null,
  delayMs: null,
  consequences: { commands: [], events: [] },
} as const

function settlementOf(claim: Claim, outcome: Outcome<Command>, newId: () => string): Settlement {
  const { id, fence } = claim
  switch (outcome.kind) {
    case 'done': {
      const consequences = consequencesOf(outcome, claim.traceparent, newId)
      return { ...plain, id, fence, state: 'succeeded', result: outcome.output, consequences }
    }
    case 'rejected':
      return {
        ...plain,
        id,
        fence,
        state: 'rejected',
        result: { code: outcome.code, detail: outcome.detail },
      }
    case 'later':
      return putOff(claim, outcome.delayMs, outcome.because)
  }
}

/** Back to the queue, with no attempt used. */
export const putOff = ({ id, fence }: Claim, delayMs: number, because: string): Settlement => ({
  ...plain,
  id,
  fence,
  state: 'waiting',
  delayMs: Math.round(delayMs),
  because,
})

function failed(claim: Claim, { retry }: Command, thrown: unknown, chance: number): Settlement {
  if (thrown instanceof Interrupted && thrown.because === 'drain') return putOff(claim, 0, thrown.message)
  const { id, fence } = claim
  const error = toFailure(thrown)
  const failures = claim.failures + 1
  const hopeless = thrown instanceof InvalidInput || thrown instanceof Poison || failures >= retry.attemptsMax
  if (hopeless) {
    const { name, message } = error
    return {
      ...plain,
      id,
      fence,
      state: 'dead',
      error,
      fingerprint: fingerprintOf(error),
      result: { name, message },
    }
  }
  return {
    ...plain,
    id,
    fence,
    state: 'retrying',
    error,
    because: error.message,
    delayMs: retry.delayMs(failures, chance),
  }
}
