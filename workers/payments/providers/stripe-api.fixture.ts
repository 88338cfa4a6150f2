import objects from './stripe-objects.fixture.json'

/** One request of the SDK, as it came over the wire. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly form: Readonly<Record<string, string>>
  readonly idempotencyKey: string | null
  readonly version: string | null
}

type Intent = Omit<typeof objects.payment_intent, 'next_action' | 'last_payment_error'> & {
  status: string
  metadata: Record<string, string>
  next_action: object | null
  last_payment_error: object | null
  charge: typeof objects.charge & { metadata: Record<string, string> }
}
type Refund = typeof objects.refund & { metadata: Record<string, string> }

interface Problem {
  readonly status: number
  readonly error: Readonly<Record<string, unknown>>
}
class Refused extends Error {
  readonly problem: Problem
  constructor(status: number, error: Readonly<Record<string, unknown>>) {
    super('refused')
    this.problem = { status, error }
  }
}
const invalid = (code: string, more = {}) =>
  new Refused(400, { type: 'invalid_request_error', code, message: `refused: ${code}`, ...more })

/**
 * As much of Stripe's API as the adapter calls, made of Stripe's own sample objects: enough state for the contract, and
 * answers that a test puts in.
 */
export function startStripeApi() {
  const intents = new Map<string, Intent>()
  const refunds: Refund[] = []
  const disputes: object[] = []
  const events: object[] = []
  const answers = new Map<
    string,
    { readonly words: string; readonly status: number; readonly body: object }
  >()
  const seen: SeenRequest[] = []
  const next: { status: number; body: object }[] = []
  let count = 0

  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async request => {
      const url = new URL(request.url)
      const form = Object.fromEntries(
        new URLSearchParams(request.method === 'GET' ? url.search : await request.text()),
      )
      const idempotencyKey = request.headers.get('idempotency-key')
      const { method } = request
      const path = url.pathname
      seen.push({ method, path, form, idempotencyKey, version: request.headers.get('stripe-version') })
      const put = next.shift()
      if (put) return Response.json(put.body, { status: put.status })
      const words = JSON.stringify([path, form])
      const known = answers.get(idempotencyKey ?? '')
      if (known && known.words !== words)
        return problem({ status: 400, error: { type: 'idempotency_error', message: 'other parameters' } })
      if (known) return Response.json(known.body, { status: known.status })
      const { status, body } = answer(method, path, form)
      if (idempotencyKey) answers.set(idempotencyKey, { words, status, body })
      return Response.json(body, { status })
    },
  })

  function answer(method: string, path: string, form: Record<string, string>) {
    try {
      return { status: 200, body: act(method, path.split('/').slice(2), form) }
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      return { status: error.problem.status, body: { error: error.problem.error } }
    }
  }
  function act(method: string, [what, id, verb]: string[], form: Record<string, string>): object {
    if (what === 'refunds') return method === 'GET' ? list(refunds.filter(at(form))) : refund(form)
    if (what === 'disputes') return list(disputes)
    if (what === 'events') return list(events)
    if (method === 'POST' && id === undefined) return create(form)
    if (id === 'search') {
      const [, key] = /^metadata\['waybill_charge'\]:'(.*)'$/.exec(form.query ?? '') ?? []
      return list(
        [...intents.values()]
          .filter(each => each.metadata.waybill_charge === key?.replaceAll("\\'", "'"))
          .map(shown),
      )
    }
    const intent = intents.get(id ?? '')
    if (!intent)
      throw new Refused(404, {
        type: 'invalid_request_error',
        code: 'resource_missing',
        message: 'No such intent',
      })
    if (verb === 'capture') return capture(intent, form)
    if (verb === 'cancel') return cancel(intent)
    return shown(intent)
  }

  function create(form: Record<string, string>): object {
    const charge = {
      ...structuredClone(objects.charge),
      metadata: {},
      id: `ch_${++count}`,
      status: 'succeeded',
      amount: Number(form.amount),
    }
    const intent: Intent = {
      ...structuredClone(objects.payment_intent),
      id: `pi_${count}`,
      amount: Number(form.amount),
      currency: form.currency ?? '',
      capture_method: form.capture_method ?? '',
      metadata: metadataIn(form),
      created: Math.floor(Date.now() / 1_000),
      charge,
    }
    intents.set(intent.id, intent)
    if (form.payment_method === 'pm_card_chargeDeclined') {
      charge.status = 'failed'
      intent.status = 'requires_payment_method'
      const why = { type: 'card_error', code: 'card_declined', decline_code: 'generic_decline' }
      intent.last_payment_error = why
      throw new Refused(402, { ...why, message: 'Your card was declined.', payment_intent: shown(intent) })
    }
    if (form.payment_method === 'pm_card_threeDSecure2Required') {
      charge.status = 'pending'
      intent.status = 'requires_action'
      intent.next_action = {
        type: 'redirect_to_url',
        redirect_to_url: { url: `https://hooks.stripe.com/${intent.id}`, return_url: form.return_url },
      }
    } else if (form.capture_method === 'manual') intent.status = 'requires_capture'
    else take(intent, intent.amount)
    return shown(intent)
  }
  function take(intent: Intent, amount: number): void {
    intent.status = 'succeeded'
    intent.amount_received = amount
  }
  function capture(intent: Intent, form: Record<string, string>): object {
    const amount = Number(form.amount_to_capture)
    if (intent.status !== 'requires_capture')
      throw invalid('payment_intent_unexpected_state', { payment_intent: shown(intent) })
    if (amount > intent.amount) throw invalid('amount_too_large')
    Object.assign(intent.metadata, metadataIn(form))
    take(intent, amount)
    return shown(intent)
  }
  function cancel(intent: Intent): object {
    if (intent.status === 'succeeded' || intent.status === 'canceled')
      throw invalid('payment_intent_unexpected_state', { payment_intent: shown(intent) })
    intent.status = 'canceled'
    return shown(intent)
  }
  function refund(form: Record<string, string>): object {
    const intent = intents.get(form.payment_intent ?? '')
    const amount = Number(form.amount)
    const before = refunds.filter(at(form)).reduce((sum, each) => sum + each.amount, 0)
    if (!intent || before + amount > intent.amount_received) throw invalid('charge_already_refunded')
    const made = {
      ...structuredClone(objects.refund),
      id: `re_${++count}`,
      amount,
      currency: intent.currency,
      payment_intent: intent.id as never,
      metadata: metadataIn(form),
    }
    refunds.push(made)
    return made
  }
  const shown = ({ charge, ...intent }: Intent): object => ({ ...intent, latest_charge: charge })

  return {
    /** For the adapter. */
    api: { host: '127.0.0.1', port: Number(server.port), protocol: 'http' as const },
    seen,
    intents,
    refunds,
    /** What Stripe could not deliver. */
    events,
    /** The next answer, instead of its own. */
    answerNext: (status: number, body: object): void => void next.push({ status, body }),
    /** A dispute that Stripe lists for the intent. */
    dispute: (intent: Intent, given: Partial<typeof objects.dispute>): void => {
      intent.charge.disputed = true
      disputes.push({ ...objects.dispute, currency: intent.currency, ...given })
    },
    stop: () => server.stop(true),
  }
}

const at = (form: Record<string, string>) => (each: Refund) =>
  (each.payment_intent as unknown) === form.payment_intent
const list = (data: readonly object[]) => ({ object: 'list', data, has_more: false, url: '/' })
const problem = ({ status, error }: Problem) => Response.json({ error }, { status })
const metadataIn = (form: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(form).flatMap(([name, value]) => {
      const [, key] = /^metadata\[(\w+)\]$/.exec(name) ?? []
      return key === undefined ? [] : [[key, value]]
    }),
  )
