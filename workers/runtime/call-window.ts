import { CircuitState, type IBreaker } from 'cockatiel'

export interface WindowRules {
  /** Calls are judged over this time, in milliseconds. */
  readonly windowMs: number
  /** Fewer calls than this in the window say nothing by their share. */
  readonly callsMin: number
  /** This many failures one after the other are enough, however few calls there are. */
  readonly failuresInARow: number
}

interface Second {
  readonly startedAt: number
  calls: number
  failures: number
}

const secondMs = 1_000

/**
 * The calls of the last seconds. Says to leave the other side alone once more than half of them failed, or several in
 * a row. What is older than the window does not count: one that failed an hour ago may fail once.
 */
export class CallWindow implements IBreaker {
  readonly #rules: WindowRules
  readonly #nowMs: () => number
  #seconds: Second[] = []
  #inARow = 0

  constructor(rules: WindowRules, nowMs: () => number) {
    this.#rules = rules
    this.#nowMs = nowMs
  }

  /** Asked for by cockatiel, to carry a breaker elsewhere; this one stays. */
  get state(): unknown {
    return this.counts()
  }

  counts(): { readonly calls: number; readonly failures: number } {
    const oldest = this.#nowMs() - this.#rules.windowMs
    this.#seconds = this.#seconds.filter(({ startedAt }) => startedAt > oldest)
    return {
      calls: this.#seconds.reduce((sum, { calls }) => sum + calls, 0),
      failures: this.#seconds.reduce((sum, { failures }) => sum + failures, 0),
    }
  }

  clear(): void {
    this.#seconds = []
    this.#inARow = 0
  }

  success(state: CircuitState): void {
    if (state === CircuitState.HalfOpen) this.clear()
    this.#inARow = 0
    this.#current().calls++
  }

  failure(state: CircuitState): boolean {
    this.#inARow++
    const current = this.#current()
    current.calls++
    current.failures++
    if (state !== CircuitState.Closed || this.#inARow >= this.#rules.failuresInARow) return true
    const { calls, failures } = this.counts()
    return calls >= this.#rules.callsMin && failures * 2 > calls
  }

  #current(): Second {
    const now = this.#nowMs()
    const last = this.#seconds.at(-1)
    if (last && now - last.startedAt < secondMs) return last
    const started = { startedAt: now, calls: 0, failures: 0 }
    this.#seconds.push(started)
    if (this.#seconds.length > (2 * this.#rules.windowMs) / secondMs) this.counts()
    return started
  }
}
