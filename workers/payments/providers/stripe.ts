import Stripe from 'stripe'
import {
  BadSignature,
  type ChargeAnswer,
  type ChargeRef,
  type Provider,
  type ProviderEvent,
  ProviderRefusal,
} from '../provider.ts'
import { stripeTakes, toStripe } from './stripe-amounts.ts'
import { translate } from './stripe-errors.ts'
import {
  captureKeyName,
  chargeKeyName,
  declineCodeOf,
  latestChargeOf,
  refundKeyName,
  toChargeAnswer,
  toRefundAnswer,
  toView,
} from './stripe-view.ts'

export interface StripeSettings {
  readonly secretKey: string
  readonly webhookSecret: string
  /** Where a buyer comes back to from the bank. */
  readonly returnUrl: string
}

export interface StripeOptions extends StripeSettings {
  readonly timeoutMs: number
  /** Instead of Stripe's own. */
  readonly api?: { readonly host: string; readonly port: number; readonly protocol: 'http' | 'https' }
}

/** Fixed, whatever the SDK or the account would take: what is read here is what this version says. */
const apiVersion = '2026-10-28.endive'
/** A webhook that was signed longer ago is refused. */
const toleranceS = 300
const pageMax = 100
const withCharge = { expand: ['latest_charge'] }

/** Stripe's payment intents, over its own SDK. */
export function createStripe(options: StripeOptions): Provider {
  const { secretKey, webhookSecret, returnUrl, timeoutMs, api } = options
  const stripe = new Stripe(secretKey, {
    apiVersion,
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries: 0, // who repeats a call, and when, is decided by the caller
    timeout: timeoutMs,
    telemetry: false,
    ...api,
  })
  const findIntent = async ({ key, reference }: ChargeRef): Promise<Stripe.PaymentIntent | null> => {
    if (reference !== null) return stripe.paymentIntents.retrieve(reference, withCharge).catch(nullIfMissing)
    // What was made in the last minute may not be found yet; made again under the same key, it is the same intent.
    const found = await stripe.paymentIntents.search({
      query: `metadata['${chargeKeyName}']:'${quoted(key)}'`,
      limit: 1,
      expand: ['data.latest_charge'],
    })
    return found.data[0] ?? null
  }
  const referenceOf = async (charge: ChargeRef): Promise<string> => {
    const reference = charge.reference ?? (await findIntent(charge))?.id
    if (reference !== undefined) return reference
    throw new ProviderRefusal(`Stripe does not know charge ${charge.key}`)
  }

  return {
    name: 'stripe',
    severalCaptures: false,
    takes: stripeTakes,

    charge: ({ key, amountMinor, currency, paymentMethod, capture }, _signal) =>
      stripe.paymentIntents
        .create(
          {
            amount: toStripe(amountMinor, currency),
            currency: currency.toLowerCase(),
            payment_method: paymentMethod,
            allowed_payment_method_types: ['card'],
            capture_method: capture,
            confirm: true,
            return_url: returnUrl,
            metadata: { [chargeKeyName]: key },
            ...withCharge,
          },
          { idempotencyKey: key },
        )
        .then(toChargeAnswer, declinedOrThrow),

    capture: translated(async ({ key, charge, amountMinor, currency }) => {
      const metadata = { [captureKeyName]: key }
      await stripe.paymentIntents.capture(
        await referenceOf(charge),
        { amount_to_capture: toStripe(amountMinor, currency), metadata },
        { idempotencyKey: key },
      )
      return { kind: 'captured' }
    }),

    void: translated(async ({ key, charge }) => {
      await stripe.paymentIntents
        .cancel(await referenceOf(charge), {}, { idempotencyKey: key })
        .catch(acceptIfCanceled)
      return { kind: 'voided' }
    }),

    refund: translated(async ({ key, charge, amountMinor, currency }) => {
      const refund = await stripe.refunds.create(
        {
          payment_intent: await referenceOf(charge),
          amount: toStripe(amountMinor, currency),
          metadata: { [refundKeyName]: key },
        },
        { idempotencyKey: key },
      )
      return toRefundAnswer(refund)
    }),

    find: translated(async charge => {
      const intent = await findIntent(charge)
      if (intent === null) return null
      const about = { payment_intent: intent.id, limit: pageMax }
      const [refunds, disputes] = await Promise.all([
        intent.amount_received > 0 ? Array.fromAsync(stripe.refunds.list(about)) : [],
        latestChargeOf(intent)?.disputed ? Array.fromAsync(stripe.disputes.list(about)) : [],
      ])
      return toView(intent, refunds, disputes)
    }),

    readEvent: async (raw, headers, now) => {
      const event = await stripe.webhooks
        .constructEventAsync(
          new TextDecoder().decode(raw),
          headers.get('stripe-signature') ?? '',
          webhookSecret,
          toleranceS,
          undefined,
          now.getTime(),
        )
        .catch(error => {
          if (error instanceof Stripe.errors.StripeSignatureVerificationError)
            throw new BadSignature(error.message.split('\n')[0])
          throw error
        })
      return toEvent(event)
    },

    missedEvents: translated(async since => {
      const created = { gte: Math.floor(since.getTime() / 1_000) }
      const { data } = await stripe.events.list({ delivery_success: false, created, limit: pageMax })
      return data.map(toEvent)
    }),
  }
}

const toEvent = (event: Stripe.Event): ProviderEvent => {
  const about = event.data.object as AboutCharge
  return {
    id: event.id,
    kind: event.type,
    chargeKey: about.metadata?.[chargeKeyName] ?? null,
    reference: about.object === 'payment_intent' ? (about.id ?? null) : referenceIn(about),
    at: new Date(event.created * 1_000),
  }
}

/** What events of intents, charges, refunds and disputes have in common. */
interface AboutCharge {
  readonly object: string
  readonly id?: string
  readonly payment_intent?: string | { readonly id: string } | null
  readonly metadata?: Readonly<Record<string, string>> | null
}
const referenceIn = ({ payment_intent: intent }: AboutCharge): string | null =>
  typeof intent === 'string' ? intent : (intent?.id ?? null)

/** A card that is declined is an answer. */
function declinedOrThrow(error: unknown): ChargeAnswer {
  if (!(error instanceof Stripe.errors.StripeCardError)) throw translate(error)
  const { code, decline_code: declineCode, payment_intent: intent } = error
  const why = { ...(code && { code }), ...(declineCode && { decline_code: declineCode }) }
  return { kind: 'declined', reference: intent?.id ?? null, declineCode: declineCodeOf(why) }
}

function nullIfMissing(error: unknown): null {
  if (error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing')
    return null
  throw error
}

function acceptIfCanceled(error: unknown): void {
  const isCanceled =
    error instanceof Stripe.errors.StripeInvalidRequestError && error.payment_intent?.status === 'canceled'
  if (!isCanceled) throw error
}

/** The call, with errors in the words of the port. */
const translated =
  <Request, Answer>(call: (request: Request) => Promise<Answer>) =>
  (request: Request): Promise<Answer> =>
    call(request).catch(error => {
      throw translate(error)
    })

const quoted = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")
