import {
  BrokenCircuitError,
  circuitBreaker,
  handleWhen,
  SamplingBreaker,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import { NotSent, ProviderRefusal } from './provider.ts'

/** How a call to the provider ended. Only `answer` says what happened there. */
export type Reply<Answer> =
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** It was sent, or may have been, and nothing came back: the money may have moved. */
  | { readonly kind: 'unknown'; readonly because: string }
  /** It was not sent, because the provider has been failing; worth a try after `restMs`. */
  | { readonly kind: 'not_sent'; readonly restMs: number }

export type Ask = <Answer>(
  call: (signal: AbortSignal) => Promise<Answer>,
  signal: AbortSignal,
) => Promise<Reply<Answer>>

/** How long the provider is left alone once half of its calls failed. */
const restMs = 5_000
/** Judged over this window, and only above one call per second. */
const breakerWindowMs = 20_000

/** The one place where the provider is called: within `timeoutMs`, and not at all while it keeps failing. */
export function createAsk(timeoutMs: number): Ask {
  const breaker = circuitBreaker(
    handleWhen(error => !(error instanceof ProviderRefusal)),
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
      if (error instanceof ProviderRefusal) throw error
      if (error instanceof BrokenCircuitError || error instanceof NotSent) return { kind: 'not_sent', restMs }
      return { kind: 'unknown', because: error instanceof Error ? error.message : String(error) }
    }
  }
}
