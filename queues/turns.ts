import { setTimeout as sleep } from 'node:timers/promises'

/** Attempts that may end with their worker, before the command is taken for what kills it. */
export const crashesMax = 3

export type Turn =
  | { readonly kind: 'granted'; readonly end: () => void }
  /** Not beside those who run now: come again in about `delayMs`. */
  | { readonly kind: 'refused'; readonly delayMs: number }

/** Who may run beside whom in one process, so that a command that kills it is found and the innocent live. */
export interface Turns {
  /** True while somebody must be alone: take nothing else. */
  readonly areClosed: () => boolean
  /** Asks for the right to run a command whose workers have died `crashes` times. */
  readonly take: (crashes: number) => Promise<Turn>
}

/** How long everybody waits until those who run have finished, so that one may be alone. */
const othersMs = 3_000
/** Most commands take milliseconds, so that a turn is free again soon; some take minutes. */
const soonMs = 200
const lateMs = 10_000

/**
 * A command that was there when a worker died is a suspect: suspects run one at a time, and one whose next crash would
 * be its last runs with nobody beside it, so that it dies of nobody's fault but its own.
 */
export function createTurns(): Turns {
  let running = 0
  let suspectRuns = false
  let closed = false

  const grant = (ended: () => void): Turn => {
    running++
    return {
      kind: 'granted',
      end: () => {
        running--
        ended()
      },
    }
  }
  const isEmpty = async () => {
    for (let waited = 0; running > 0 && waited < othersMs; waited += 20) await sleep(20)
    return running === 0
  }
  return {
    areClosed: () => closed,
    take: async crashes => {
      if (crashes >= crashesMax) return grant(() => {}) // its handler is not called any more
      if (closed) return { kind: 'refused', delayMs: soonMs }
      if (crashes === 0) return grant(() => {})
      if (suspectRuns) return { kind: 'refused', delayMs: soonMs }
      suspectRuns = true
      closed = crashes === crashesMax - 1
      const open = () => {
        suspectRuns = closed = false
      }
      if (!closed || (await isEmpty())) return grant(open)
      open()
      return { kind: 'refused', delayMs: lateMs }
    },
  }
}
