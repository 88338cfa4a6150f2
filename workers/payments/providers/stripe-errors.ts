import Stripe from 'stripe'
import { NotSent } from '../../runtime/ask.ts'
import { ProviderRefusal } from '../provider.ts'

/** What a call of Stripe's SDK throws, in the words of the port; anything else leaves open what happened. */
export function translate(error: unknown): unknown {
  const { errors } = Stripe
  if (error instanceof errors.StripeConnectionError && wasNotSent(error))
    return new NotSent('Stripe cannot be reached')
  // Refused before anything is done, and right again once we are slower, or have a key that is right.
  if (error instanceof errors.StripeRateLimitError) return new NotSent('Stripe asks for fewer requests')
  if (error instanceof errors.StripeAuthenticationError || error instanceof errors.StripePermissionError)
    return new NotSent(`Stripe does not accept the key: ${error.type}`)
  if (
    error instanceof errors.StripeIdempotencyError ||
    error instanceof errors.StripeInvalidRequestError ||
    error instanceof errors.StripeCardError
  )
    return new ProviderRefusal(`Stripe says: ${error.code ?? error.type}: ${error.message}`)
  return error
}

const wasNotSent = ({ detail }: Error & { readonly detail?: unknown }): boolean =>
  detail instanceof Error &&
  'code' in detail &&
  ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].includes(String(detail.code))
