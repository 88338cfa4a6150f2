import { isAway, type Sql } from '../db/client.ts'
import { type Tx, transact } from '../db/transaction.ts'
import { batch } from './batch.ts'
import type { Command } from './command.ts'
import {
  type Claim,
  isSuperseded,
  type Journal,
  type Settlement,
  settleEffects,
  settleShared,
} from './journal.ts'
import type { Effects } from './outcome.ts'
import { aborted, settlementOf } from './settlement.ts'

/** What a handler answered when it wants to write. */
export interface Effecting {
  readonly claim: Claim
  readonly command: Command
  readonly effects: Effects<Command>
  /** Ends when the attempt does: its effects are waited for no longer, lest they hold up whatever comes next. */
  readonly signal: AbortSignal
}

/**
 * Effects, settlement and what follows from it: one transaction. Answers the settlement that holds, or null if the
 * fence did not; throws what the effects throw. The effects may be called twice, in two transactions.
 */
export type Commit = (effecting: Effecting) => Promise<Settlement | null>

interface CommitDeps {
  readonly sql: Sql
  readonly journal: Journal
  readonly newId: () => string
}

/** Commands in one transaction. More gain little, and each waits for all. */
export const sharedMax = 25

export function createCommit(deps: CommitDeps): Commit {
  const perCommand = new Map<Command, (effecting: Effecting) => Promise<() => Settlement | null>>()
  const sharing = (command: Command) => {
    const shared = batch<Effecting, () => Settlement | null>(
      async group => (group.length === 1 ? [await only(group, deps)] : commitTogether(group, deps)),
      { sizeMax: sharedMax, isOfOneItem: error => !isAway(error) },
    )
    perCommand.set(command, shared)
    return shared
  }
  return async effecting => {
    const { command, claim } = effecting
    // What may have killed a worker, or failed by itself or by another's hanging, shares nothing: it would do so again.
    const isSuspect = claim.crashes > 0 || claim.failures > 0
    if (!command.sharesTransaction || isSuspect) return commitAlone(effecting, deps)
    return (await (perCommand.get(command) ?? sharing(command))(effecting))()
  }
}

const only = async (group: readonly Effecting[], deps: CommitDeps) => {
  const settlement = await commitAlone(group[0] as Effecting, deps)
  return () => settlement
}

async function commitAlone(
  effecting: Effecting,
  { sql, journal, newId }: CommitDeps,
): Promise<Settlement | null> {
  const verdict: { rejected: Settlement | null } = { rejected: null }
  try {
    return await transact(
      sql,
      async tx => {
        const settlement = await carryOut(effecting, tx, newId)
        if (settlement.state !== 'rejected') return settlement
        verdict.rejected = settlement
        throw new Error('rejected') // rolls the effects back
      },
      settleEffects,
    )
  } catch (thrown) {
    if (verdict.rejected) return (await journal.settle(verdict.rejected)) ? verdict.rejected : null
    if (isSuperseded(thrown)) return null
    throw thrown
  }
}

/**
 * All or none: their statements travel together. Throws if one of them is rejected, throws, or has lost its fence;
 * then each is tried alone.
 */
async function commitTogether(
  group: readonly Effecting[],
  { sql, newId }: CommitDeps,
): Promise<(() => Settlement)[]> {
  const settlements = await transact(
    sql,
    async tx => {
      const settlements = await Promise.all(group.map(effecting => carryOut(effecting, tx, newId)))
      if (settlements.some(({ state }) => state === 'rejected')) throw new Error('one of them was rejected')
      return settlements
    },
    settleShared,
  )
  return settlements.map(settlement => () => settlement)
}

async function carryOut(
  { claim, effects, signal }: Effecting,
  tx: Tx,
  newId: () => string,
): Promise<Settlement> {
  return settlementOf(claim, await Promise.race([effects(tx), aborted(signal)]), newId)
}
