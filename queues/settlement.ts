import type { Command } from './command.ts'
import { fingerprintOf, toFailure } from './failure.ts'
import { type Claim, consequencesOf, type Settlement } from './journal.ts'
import type { Outcome } from './outcome.ts'

/** A command whose stored input its own schema refuses: no retry can mend it. */
export class InvalidInput extends Error {
  override readonly name = 'InvalidInput'
}

/** A command whose workers keep dying under it. */
export class Poison extends Error {
  override readonly name = 'Poison'
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

/** Rejects with the reason once the attempt is ended. */
export const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })

const plain = {
  result: null,
  error: null,
  fingerprint: null,
  because: null,
  delayMs: null,
  consequences: { commands: [], events: [] },
} as const

/** How an outcome settles its command. */
export function settlementOf(claim: Claim, outcome: Outcome<Command>, newId: () => string): Settlement {
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

/** How a throw settles its command: a retry by the command's policy, or a dead letter. `chance` is in [0, 1). */
export function failed(claim: Claim, { retry }: Command, thrown: unknown, chance: number): Settlement {
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
