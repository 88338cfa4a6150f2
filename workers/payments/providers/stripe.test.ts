import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import Stripe from 'stripe'
import { v7 as uuidv7 } from 'uuid'
import { createAsk, NotSent } from '../../runtime/ask.ts'
import { BadSignature, type ChargeRequest, type Provider, ProviderRefusal } from '../provider.ts'
import { providerContract } from './contract.ts'
import { createStripe } from './stripe.ts'
import { fromStripe, stripeTakes, toStripe } from './stripe-amounts.ts'
import { startStripeApi } from './stripe-api.fixture.ts'
import objects from './stripe-objects.fixture.json'
import { toRefundAnswer } from './stripe-view.ts'

let stripeApi: ReturnType<typeof startStripeApi>
let provider: Provider
const webhookSecret = 'whsec_of_this_test'
const settings = { secretKey: 'sk_test_of_this_test', webhookSecret, returnUrl: 'https://shop.example/back' }
beforeAll(() => {
  stripeApi = startStripeApi()
  provider = createStripe({ ...settings, timeoutMs: 5_000, api: stripeApi.api })
})
afterAll(() => stripeApi.stop())

const newKey = () => `test:${uuidv7()}`
const { signal } = new AbortController()
const chargeOf = (given: Partial<ChargeRequest> = {}): ChargeRequest => ({
  key: newKey(),
  amountMinor: 1_099,
  currency: 'USD',
  paymentMethod: 'pm_card_visa',
  capture: 'automatic',
  ...given,
})
/** What the SDK sent last. */
const last = () => stripeApi.seen.at(-1)
const charged = async (given: Partial<ChargeRequest> = {}) => {
  const asked = chargeOf(given)
  const answer = await provider.charge(asked, signal)
  const intent = stripeApi.intents.get(answer.reference ?? '')
  if (!intent) throw new Error('there is no intent')
  return { asked, answer, intent, charge: { key: asked.key, reference: answer.reference } }
}

providerContract('Stripe', {
  provider: () => provider,
  cards: {
    good: 'pm_card_visa',
    declined: 'pm_card_chargeDeclined',
    challenged: 'pm_card_threeDSecure2Required',
  },
  newKey,
})

describe('what is sent', () => {
  test('a charge: one payment intent, confirmed at once, under our key, with the key in its metadata', async () => {
    const { asked } = await charged({ capture: 'manual' })
    expect(last()).toEqual({
      method: 'POST',
      path: '/v1/payment_intents',
      form: {
        amount: '1099',
        currency: 'usd',
        payment_method: 'pm_card_visa',
        'allowed_payment_method_types[0]': 'card',
        capture_method: 'manual',
        confirm: 'true',
        return_url: 'https://shop.example/back',
        'metadata[waybill_charge]': asked.key,
        'expand[0]': 'latest_charge',
      },
      idempotencyKey: asked.key,
      version: '2026-10-28.endive',
    })
  })
  test('a capture, with our key for it', async () => {
    const { charge } = await charged({ capture: 'manual', currency: 'ISK', amountMinor: 50 })
    const key = newKey()
    await provider.capture({ key, charge, amountMinor: 20, currency: 'ISK', isFinal: true }, signal)
    expect(last()).toMatchObject({
      path: `/v1/payment_intents/${charge.reference}/capture`,
      form: { amount_to_capture: '2000', 'metadata[waybill_capture]': key },
      idempotencyKey: key,
    })
    expect((await provider.find(charge, signal))?.captures).toEqual([{ key, amountMinor: 20 }])
  })
  test('a release', async () => {
    const { charge } = await charged({ capture: 'manual' })
    const key = newKey()
    await provider.void({ key, charge }, signal)
    expect(last()).toMatchObject({
      path: `/v1/payment_intents/${charge.reference}/cancel`,
      form: {},
      idempotencyKey: key,
    })
  })
  test('a refund, with our key for it', async () => {
    const { charge } = await charged()
    const key = newKey()
    await provider.refund({ key, charge, amountMinor: 99, currency: 'USD' }, signal)
    expect(last()).toMatchObject({
      path: '/v1/refunds',
      form: { payment_intent: charge.reference as string, amount: '99', 'metadata[waybill_refund]': key },
      idempotencyKey: key,
    })
  })
  test('a charge whose reference got lost is searched for by our key', async () => {
    const { asked, charge } = await charged({ key: `it's:${uuidv7()}` })
    const key = newKey()
    const lost = { key: asked.key, reference: null }
    await provider.refund({ key, charge: lost, amountMinor: 1, currency: 'USD' }, signal)
    const [search, refund] = stripeApi.seen.slice(-2)
    expect(search).toMatchObject({
      path: '/v1/payment_intents/search',
      form: { query: `metadata['waybill_charge']:'${asked.key.replace("'", "\\'")}'`, limit: '1' },
    })
    expect(refund?.form.payment_intent).toBe(charge.reference as string)
  })
  test('nothing is refunded for a charge that Stripe does not know', async () => {
    const unknown = { key: newKey(), reference: null }
    const refund = provider.refund(
      { key: newKey(), charge: unknown, amountMinor: 1, currency: 'USD' },
      signal,
    )
    await expect(refund).rejects.toBeInstanceOf(ProviderRefusal)
    expect(last()?.path).toBe('/v1/payment_intents/search')
  })
})

describe('what is read', () => {
  const intent = (given: object) => ({ ...objects.payment_intent, ...given })
  const answered = (given: object) => {
    stripeApi.answerNext(200, intent(given))
    return provider.charge(chargeOf(), signal)
  }
  const reference = objects.payment_intent.id
  test('each status of an intent', async () => {
    expect(await answered({ status: 'succeeded' })).toEqual({ kind: 'captured', reference })
    expect(await answered({ status: 'processing' })).toEqual({ kind: 'processing', reference })
    expect(await answered({ status: 'canceled' })).toEqual({ kind: 'voided', reference })
    expect(
      await answered({ status: 'requires_payment_method', last_payment_error: { code: 'expired_card' } }),
    ).toEqual({
      kind: 'declined',
      reference,
      declineCode: 'expired_card',
    })
    await expect(answered({ status: 'of_next_year' })).rejects.toThrow('of_next_year')
  })
  test('until when money is set aside: as Stripe says, else the shortest of all networks', async () => {
    const card = { ...objects.charge.payment_method_details.card, capture_before: 2_000_000_000 }
    const latest_charge = { ...objects.charge, payment_method_details: { type: 'card', card } }
    expect(await answered({ status: 'requires_capture', latest_charge })).toMatchObject({
      captureBefore: new Date(2_000_000_000_000),
    })
    expect(await answered({ status: 'requires_capture', created: 1_000_000 })).toMatchObject({
      captureBefore: new Date((1_000_000 + 410_400) * 1_000),
    })
  })
  test('a challenge without an address is not passed on', async () => {
    const next_action = { type: 'use_stripe_sdk' }
    await expect(answered({ status: 'requires_action', next_action })).rejects.toThrow('use_stripe_sdk')
  })
  test('each status of a refund, one made by hand among them', async () => {
    const { charge, intent: made } = await charged()
    const template = objects.refund as unknown as Stripe.Refund
    for (const [status, expected] of [
      ['succeeded', { kind: 'refunded', reference: template.id }],
      ['pending', { kind: 'pending', reference: template.id }],
      ['requires_action', { kind: 'pending', reference: template.id }],
      ['failed', { kind: 'failed', reason: 'lost_or_stolen_card' }],
      ['canceled', { kind: 'failed', reason: 'lost_or_stolen_card' }],
    ] as const)
      expect(toRefundAnswer({ ...template, status, failure_reason: 'lost_or_stolen_card' })).toEqual(expected)
    const byHand = { ...objects.refund, amount: 7, payment_intent: made.id as never }
    stripeApi.refunds.push(byHand)
    expect((await provider.find(charge, signal))?.refunds).toEqual([
      { key: null, reference: objects.refund.id, amountMinor: 7, status: 'succeeded' },
    ])
  })
  test('disputes that took money back; an inquiry has not', async () => {
    const { charge, intent: made } = await charged({ currency: 'JPY', amountMinor: 500 })
    for (const [id, status] of [
      ['dp_1', 'warning_needs_response'],
      ['dp_2', 'needs_response'],
      ['dp_3', 'lost'],
      ['dp_4', 'appeal_under_review'],
      ['dp_5', 'prevented'],
    ] as const)
      stripeApi.dispute(made, { id, status, amount: 100, reason: 'fraudulent' })
    const about = { amountMinor: 100, reason: 'fraudulent' }
    expect((await provider.find(charge, signal))?.disputes).toEqual([
      { reference: 'dp_2', ...about, status: 'needs_response' },
      { reference: 'dp_3', ...about, status: 'lost' },
      { reference: 'dp_4', ...about, status: 'lost' },
    ])
  })
})

describe('what goes wrong', () => {
  const failing = (status: number, error: object) => {
    stripeApi.answerNext(status, { error })
    return provider.charge(chargeOf(), signal).catch((thrown: unknown) => thrown)
  }
  test('a declined card without a reason of its own has the code', async () => {
    const error = { type: 'card_error', code: 'incorrect_cvc', message: 'The CVC is wrong.' }
    expect(await failing(402, error)).toEqual({
      kind: 'declined',
      reference: null,
      declineCode: 'incorrect_cvc',
    })
  })
  test('a request that is wrong is a refusal', async () => {
    for (const type of ['invalid_request_error', 'idempotency_error'])
      expect(await failing(400, { type, message: 'no' })).toBeInstanceOf(ProviderRefusal)
    expect(await failing(404, { type: 'invalid_request_error', message: 'no' })).toBeInstanceOf(
      ProviderRefusal,
    )
  })
  test('too many requests, and a key that is not accepted, did nothing', async () => {
    expect(await failing(429, { type: 'rate_limit_error', message: 'no' })).toBeInstanceOf(NotSent)
    expect(await failing(401, { type: 'invalid_request_error', message: 'no' })).toBeInstanceOf(NotSent)
    expect(await failing(403, { type: 'invalid_request_error', message: 'no' })).toBeInstanceOf(NotSent)
  })
  test('what may have happened stays open: an error of theirs, a request still under way, silence', async () => {
    for (const status of [409, 500, 503]) {
      const thrown = await failing(status, { type: 'api_error', message: 'no' })
      expect(thrown).toBeInstanceOf(Error)
      expect([thrown instanceof NotSent, thrown instanceof ProviderRefusal]).toEqual([false, false])
    }
    const silent = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      idleTimeout: 0,
      fetch: () => new Promise(() => {}),
    })
    const api = { host: '127.0.0.1', port: Number(silent.port), protocol: 'http' as const }
    const ask = createAsk({ name: 'payments.stripe', timeoutMs: 10_000 })
    const impatient = createStripe({ ...settings, timeoutMs: 50, api })
    expect(await ask(call => impatient.charge(chargeOf(), call), signal)).toMatchObject({ kind: 'unknown' })
    await silent.stop(true)
    await expect(
      createStripe({ ...settings, timeoutMs: 500, api }).charge(chargeOf(), signal),
    ).rejects.toBeInstanceOf(NotSent)
  })
  test('an error of theirs is not repeated by the SDK', async () => {
    const before = stripeApi.seen.length
    await failing(500, { type: 'api_error', message: 'no' })
    expect(stripeApi.seen.length - before).toBe(1)
  })
})

describe('amounts', () => {
  test('are counted as Stripe counts them, and back', () => {
    for (const [currency, amountMinor, amount] of [
      ['EUR', 1_999, 1_999],
      ['JPY', 500, 500],
      ['ISK', 5, 500],
      ['UGX', 5, 500],
      ['HUF', 1_045, 1_045],
      ['TWD', 80_045, 80_045],
    ] as const) {
      expect(stripeTakes(currency)).toBe(true)
      expect(toStripe(amountMinor, currency)).toBe(amount)
      expect(fromStripe(amount, currency.toLowerCase())).toBe(amountMinor)
    }
  })
  test('what could not be exact is not taken', () => {
    for (const currency of ['KWD', 'BHD', 'CLF', 'MGA', 'XXX', 'eur'])
      expect([currency, stripeTakes(currency)]).toEqual([currency, false])
    expect(() => fromStripe(550, 'isk')).toThrow('550 isk')
  })
})

describe('webhooks', () => {
  const nowS = 1_800_000_000
  const sign = async (payload: string, secret = webhookSecret) => {
    const { webhooks } = new Stripe('sk_test_unused')
    const header = await webhooks.generateTestHeaderStringAsync({ payload, secret, timestamp: nowS })
    return new Headers({ 'stripe-signature': header })
  }
  const eventOf = (type: string, object: object) =>
    JSON.stringify({ ...objects.event, type, data: { object } })
  const read = (payload: string, headers: Headers, atS = nowS) =>
    provider.readEvent(new TextEncoder().encode(payload), headers, new Date(atS * 1_000))

  test('name the charge by our key or by the intent', async () => {
    const payment_intent = 'pi_1'
    for (const [type, object, about] of [
      [
        'payment_intent.succeeded',
        { ...objects.payment_intent, metadata: { waybill_charge: 'charge:1' } },
        { chargeKey: 'charge:1', reference: objects.payment_intent.id },
      ],
      [
        'charge.refund.updated',
        { ...objects.refund, payment_intent },
        { chargeKey: null, reference: 'pi_1' },
      ],
      [
        'charge.dispute.created',
        { ...objects.dispute, payment_intent },
        { chargeKey: null, reference: 'pi_1' },
      ],
      ['payout.paid', { object: 'payout', id: 'po_1' }, { chargeKey: null, reference: null }],
    ] as const) {
      const payload = eventOf(type, object)
      const at = new Date(objects.event.created * 1_000)
      expect(await read(payload, await sign(payload))).toEqual({
        id: objects.event.id,
        kind: type,
        at,
        ...about,
      })
    }
  })
  test('that could not be delivered are asked for, and read alike', async () => {
    stripeApi.events.push(
      JSON.parse(eventOf('charge.dispute.created', { ...objects.dispute, payment_intent: 'pi_1' })),
    )
    const since = new Date(1_700_000_000_000)
    expect(await provider.missedEvents(since, signal)).toMatchObject([
      { id: objects.event.id, kind: 'charge.dispute.created', chargeKey: null, reference: 'pi_1' },
    ])
    expect(stripeApi.seen.at(-1)).toMatchObject({
      path: '/v1/events',
      form: { delivery_success: 'false', 'created[gte]': '1700000000' },
    })
  })
  test('with other bytes, another secret, no signature, or after five minutes are refused', async () => {
    const payload = eventOf('payment_intent.succeeded', objects.payment_intent)
    const right = await sign(payload)
    expect(await read(payload, right, nowS + 300)).toMatchObject({ id: objects.event.id })
    const another = await sign(payload, 'whsec_another')
    const nonsense = new Headers({ 'stripe-signature': 'nonsense' })
    for (const wrong of [
      () => read(payload, right, nowS + 301),
      () => read(`${payload} `, right),
      () => read(payload, another),
      () => read(payload, new Headers()),
      () => read(payload, nonsense),
    ])
      await expect(wrong()).rejects.toBeInstanceOf(BadSignature)
  })
})
