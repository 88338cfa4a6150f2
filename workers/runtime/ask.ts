import { CircuitState, circuitBreaker, handleWhen, TimeoutStrategy, timeout } from 'cockatiel'
import { toFailure } from '../../queues/failure.ts'
import { CallWindow } from './call-window.ts'

/** The remote side says that the request itself is wrong: a bug of ours, which no repeat can mend. */
export class RemoteRefusal extends Error {
  override readonly name: string = 'RemoteRefusal'
}

/** The request certainly did not reach the remote side. Every other error leaves open whether it did. */
export class NotSent extends Error {
  override readonly name: string = 'NotSent'
}

/** How a call to something remote ended. Only `answer` says what happened there. */
export type Reply<Answer> =
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** It was sent, or may have been, and nothing came back: it may have had its effect. */
  | { readonly kind: 'unknown'; readonly because: string; readonly cause: unknown }
  /** It was not sent; worth a try after `restMs`. `cause` is null if the remote side is being left alone. */
  | { readonly kind: 'not_sent'; readonly restMs: number; readonly cause: NotSent | null }

export type Ask = <Answer>(
  call: (signal: AbortSignal) => Promise<Answer>,
  signal: AbortSignal,
) => Promise<Reply<Answer>>

/** Tells, beside, whether a call would not go out now: whoever has a choice calls somebody else. */
export type RestingAsk = Ask & { readonly isResting: () => boolean }

export interface AskOptions {
  /** Who is called, `<service>.<port>` such as `payments.simulator`: operators see its state under this name. */
  readonly name: string
  /** How long one call may take. */
  readonly timeoutMs: number
  /** This many failures one after the other are enough to leave it alone; without it, only their share counts. */
  readonly failuresInARow?: number
}

/** The states of cockatiel's CircuitState, by number. `half_open`: one call tries whether it works again. */
export const breakerStates = ['closed', 'open', 'half_open', 'isolated'] as const
export type BreakerState = (typeof breakerStates)[number]

/** What a remote side looks like from this process. */
export interface BreakerView {
  readonly name: string
  readonly state: BreakerState
  readonly since: Date
  /** Over the last `windowMs`. */
  readonly calls: number
  readonly failures: number
  readonly windowMs: number
  readonly lastFailure: { readonly reason: string; readonly at: Date } | null
  /** When the next call may go out, if it is open. */
  readonly nextTryAt: Date | null
  /** Why it is isolated, in the words of whoever did it. */
  readonly because: string | null
}

/** Something remote: how it is called, and how an operator sees and switches its breaker. */
export interface Remote {
  readonly ask: RestingAsk
  readonly view: () => BreakerView
  /** No call goes out until `close`. */
  readonly isolate: (because: string) => void
  /** Calls go out again, and what failed before is forgotten. */
  readonly close: () => void
}

export interface RemoteDeps {
  readonly nowMs: () => number
  readonly onChange: (view: BreakerView) => void
}

/** How long the remote side is left alone before one call tries again. */
export const restMs = 5_000
const windowMs = 20_000
/** One call a second: fewer say nothing by their share. */
const callsMin = 20

/** The one way to call anything remote: within `timeoutMs`, and not at all while it keeps failing. */
export const createAsk = (options: AskOptions): RestingAsk =>
  createRemote(options, { nowMs: Date.now, onChange: () => {} }).ask

export function createRemote(
  { name, timeoutMs, failuresInARow = Number.POSITIVE_INFINITY }: AskOptions,
  { nowMs, onChange }: RemoteDeps,
): Remote {
  const window = new CallWindow({ windowMs, callsMin, failuresInARow }, nowMs)
  const breaker = circuitBreaker(
    handleWhen(error => isFailure(error, breaker.state)),
    { halfOpenAfter: restMs, breaker: window },
  )
  const inTime = timeout(timeoutMs, TimeoutStrategy.Aggressive)
  let sinceMs = nowMs()
  let lastFailure: BreakerView['lastFailure'] = null
  let isolation: { readonly because: string; readonly end: () => void } | null = null

  const view = (): BreakerView => {
    const state = breakerStates[breaker.state]
    return {
      name,
      state,
      since: new Date(sinceMs),
      ...window.counts(),
      windowMs,
      lastFailure,
      nextTryAt: state === 'open' ? new Date(sinceMs + restMs) : null,
      because: isolation?.because ?? null,
    }
  }
  let isClosing = false
  breaker.onStateChange(() => {
    if (isClosing && breaker.state !== CircuitState.Closed) return
    sinceMs = nowMs()
    onChange(view())
  })
  breaker.onFailure(({ handled, reason }) => {
    if (handled && 'error' in reason) lastFailure = { reason: reasonOf(reason.error), at: new Date(nowMs()) }
  })

  const ask: Ask = async (call, signal) => {
    let wasCalled = false
    const inTimeOnce = async () => {
      wasCalled = true
      try {
        return await inTime.execute(context => call(context.signal), signal)
      } catch (error) {
        if (signal.aborted) throw new Interrupted('the caller waits no longer')
        if (error instanceof RemoteRefusal) window.success(breaker.state) // it works, and says no
        throw error
      }
    }
    try {
      return { kind: 'answer', answer: await breaker.execute(inTimeOnce, signal) }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof RemoteRefusal) throw error
      if (!wasCalled) return { kind: 'not_sent', restMs, cause: null }
      if (error instanceof NotSent) return { kind: 'not_sent', restMs, cause: error }
      return { kind: 'unknown', because: messageOf(error), cause: error }
    }
  }
  const isResting = () =>
    breaker.state === CircuitState.Open ? nowMs() < sinceMs + restMs : breaker.state !== CircuitState.Closed

  return {
    view,
    ask: Object.assign(ask, { isResting }),
    isolate: because => {
      const end = isolation?.end ?? breaker.isolate().dispose
      isolation = { because, end }
    },
    close: () => {
      window.clear()
      if (breaker.state === CircuitState.Closed) return
      isClosing = true
      const end = isolation?.end ?? breaker.isolate().dispose // isolated for a moment: what is under way changes nothing
      isolation = null
      end()
      isClosing = false
    },
  }
}

/** The caller was stopped while it waited: that says nothing about the other side. */
class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** A try that was stopped has not shown that it works again. */
const isFailure = (error: unknown, state: CircuitState): boolean =>
  !(error instanceof RemoteRefusal) && (!(error instanceof Interrupted) || state === CircuitState.HalfOpen)

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** For operators, as text that Postgres can keep; what was not sent says beside why. */
const reasonOf = (error: unknown): string =>
  error instanceof NotSent && error.cause !== undefined
    ? `${toFailure(error).message}: ${toFailure(error.cause).message}`
    : toFailure(error).message
