import type { TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import type { Command } from './command.ts'
import type { Commit } from './commit.ts'
import type { Claim, Journal, Settlement } from './journal.ts'
import type { Handler, Job } from './outcome.ts'
import { aborted, failed, Interrupted, InvalidInput, Poison, settlementOf } from './settlement.ts'
import { crashesMax } from './turns.ts'

export interface AttemptDeps {
  readonly commit: Commit
  readonly journal: Journal
  readonly newId: () => string
  /** In [0, 1). */
  readonly chance: () => number
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
    return await Promise.race([
      perform(claim, command, handler, controller.signal, deps),
      aborted(controller.signal),
    ])
  } catch (thrown) {
    return settle(deps.journal, failed(claim, command, thrown, deps.chance()))
  } finally {
    clearTimeout(timer)
  }
}

async function perform(
  claim: Claim,
  command: Command,
  handler: Handler,
  signal: AbortSignal,
  deps: AttemptDeps,
): Promise<Settlement | null> {
  const returned = await handler(toJob(claim, signal))
  if (typeof returned === 'function') return deps.commit({ claim, command, effects: returned, signal })
  return settle(deps.journal, settlementOf(claim, returned, deps.newId))
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
