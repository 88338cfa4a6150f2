import {
  BrokenCircuitError,
  circuitBreaker,
  handleWhen,
  SamplingBreaker,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'

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
  | { readonly kind: 'unknown'; readonly because: string }
  /** It was not sent, because the remote side has been failing; worth a try after `restMs`. */
  | { readonly kind: 'not_sent'; readonly restMs: number }

export type Ask = <Answer>(
  call: (signal: AbortSignal) => Promise<Answer>,
  signal: AbortSignal,
) => Promise<Reply<Answer>>

/** How long the remote side is left alone once half of its calls failed. */
const restMs = 5_000
/** Judged over this window, and only above one call per second. */
const breakerWindowMs = 20_000

export interface AskOptions {
  /** Who is called, `<service>.<port>` such as `payments.simulator`: operators see its state under this name. */
  readonly name: string
  /** How long one call may take. */
  readonly timeoutMs: number
}

/** The one way to call anything remote: within `timeoutMs`, and not at all while it keeps failing. */
export function createAsk({ timeoutMs }: AskOptions): Ask {
  const breaker = circuitBreaker(
    handleWhen(error => !(error instanceof RemoteRefusal)),
    {
      halfOpenAfter: restMs,
      breaker: new SamplingBreaker({ threshold: 0.5, duration: breakerWindowMs, minimumRps: 1 }),
    },
  )
  const policy = wrap(breaker, timeout(timeoutMs, TimeoutStrategy.Aggressive))
  return async (call, signal) => {
    try {
      return { kind: 'answer', answer: await policy.execute(context => call(context.signal), signal) }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof RemoteRefusal) throw error
      if (error instanceof BrokenCircuitError || error instanceof NotSent) return { kind: 'not_sent', restMs }
      return { kind: 'unknown', because: error instanceof Error ? error.message : String(error) }
    }
  }
}
