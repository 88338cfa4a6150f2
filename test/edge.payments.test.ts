import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { createEnqueuer, type Enqueuer } from '../queues/enqueue.ts'
import { charge } from '../queues/payments.ts'
import { paymentsService } from '../workers/payments/index.ts'
import { signatureHeader, signatureOf } from '../workers/payments/simulator/signature.ts'
import { customer, merchant, operator, type Person, type TestEdge, testEdge } from './edge-harness.ts'
import { type TestKernel, testKernel, testLog } from './harness.ts'

let kernel: TestKernel
let edge: TestEdge
let enqueuer: Enqueuer
beforeAll(async () => {
  kernel = await testKernel({ services: [paymentsService] })
  enqueuer = createEnqueuer(kernel.redis, testLog)
  edge = await testEdge({
    database: kernel.database,
    enqueuer,
    upstreams: { payments: kernel.services.routesOf('payments') },
  })
})
afterAll(async () => {
  await edge.stop()
  await enqueuer.close()
  await kernel.stop()
})

const pay = async (storeId = uuidv7()) => {
  const order = { orderId: uuidv7(), attempt: 1, customerId: uuidv7(), amountMinor: 1_000, currency: 'EUR' }
  const split = [
    { account: `store:${storeId}`, amountMinor: 900 },
    { account: 'commission', amountMinor: 100 },
  ]
  const { id } = await kernel.run(charge, {
    ...order,
    storeId,
    split,
    capture: 'manual',
    paymentMethod: 'pm_card_ok',
  })
  return id
}
const as = async (person: Person, path: string, body: object) => {
  const token = await edge.tokenFor(person)
  const id = String((await edge.ask('POST', path, { token, key: uuidv7(), body })).body.id)
  return edge.ask('GET', `/v1/commands/${id}`, { token, headers: { prefer: 'wait=10' } })
}

test('an operator captures, gives back and pays out over HTTP; each refusal is documented', async () => {
  const storeId = uuidv7()
  const id = await pay(storeId)
  const other = await pay()
  const steps = [
    [`/v1/payments/${id}/captures`, { amountMinor: 1_001 }, 'capture_exceeds_authorization'],
    [`/v1/payments/${id}/captures`, { amountMinor: 600, isFinal: true }, null],
    [`/v1/payments/${id}/captures`, { amountMinor: 1 }, 'payment_state_conflict'],
    [`/v1/payments/${id}/void`, { reason: 'a test' }, 'already_captured'],
    [`/v1/payments/${id}/refunds`, { amountMinor: 601, reason: 'a test' }, 'refund_exceeds_capture'],
    [`/v1/payments/${id}/refunds`, { amountMinor: 100, reason: 'a test' }, null],
    [`/v1/payments/${other}/void`, { reason: 'a test' }, null],
    [`/v1/payments/${other}/void`, { reason: 'a test' }, 'nothing_to_void'],
    [`/v1/payments/${uuidv7()}/void`, { reason: 'a test' }, 'payment_not_found'],
    [
      `/v1/stores/${storeId}/payouts`,
      { amountMinor: 451, currency: 'EUR', reference: 'SEPA 1' },
      'payout_exceeds_owed',
    ],
    [`/v1/stores/${storeId}/payouts`, { amountMinor: 450, currency: 'EUR', reference: 'SEPA 1' }, null],
  ] as const
  for (const [path, body, refusal] of steps) {
    const settled = (await as(operator(), path, body)).body
    const { refusal: said } = settled as { refusal?: { code?: string } }
    expect([path, settled.state, said?.code ?? null]).toEqual([
      path,
      refusal ? 'rejected' : 'succeeded',
      refusal,
    ])
  }
  const statement = await edge.ask('GET', `/v1/stores/${storeId}/statement?currency=EUR`, {
    token: await edge.tokenFor(merchant()),
  })
  expect(statement.body).toMatchObject({
    takenMinor: 540,
    refundedMinor: 90,
    commissionMinor: 50,
    paidOutMinor: 450,
    owedMinor: 0,
  })
})

test('403: customers capture, let go and give back nothing, and merchants pay nothing out', async () => {
  const id = await pay()
  for (const [person, path] of [
    [customer(), `/v1/payments/${id}/captures`],
    [customer(), `/v1/payments/${id}/void`],
    [customer(), `/v1/payments/${id}/refunds`],
    [merchant(), `/v1/stores/${id}/payouts`],
  ] as const) {
    const token = await edge.tokenFor(person)
    const { status, body } = await edge.ask('POST', path, { token, key: uuidv7(), body: {} })
    expect([path, status, body.code]).toEqual([path, 403, 'insufficient_scope'])
  }
})

describe('a webhook of a provider', () => {
  const send = (body: string, signature: string | null, provider = 'simulator') =>
    edge.ask('POST', `/v1/webhooks/payments/${provider}`, {
      body,
      headers: signature === null ? {} : { [signatureHeader]: signature },
    })
  const signed = (body: string, atMs = Date.now(), secret = 'development-only') =>
    signatureOf(body, secret, atMs)
  const eventOf = (paymentId: string) =>
    JSON.stringify({
      id: `evt_${uuidv7()}`,
      kind: 'charge.authorized',
      chargeKey: `charge:${paymentId}`,
      reference: null,
      at: new Date().toISOString(),
    })
  const kept = async () => (await kernel.sql`select from payments.provider_events`).count

  test('that is forged, changed on its way, unsigned or old is refused, and nothing of it is kept', async () => {
    const text = eventOf(await pay())
    for (const [body, signature] of [
      [text, signed(text, Date.now(), 'another secret')],
      [`${text} `, signed(text)],
      [text, null],
      [text, signed(text, Date.now() - 301_000)],
    ] as const)
      expect(await send(body, signature)).toMatchObject({ status: 400, body: { code: 'bad_signature' } })
    expect((await send(text, signed(text), 'paypal')).status).toBe(404)
    const large = 'x'.repeat(edge.settings.BODY_MAX_BYTES + 1)
    expect((await send(large, signed(large))).status).toBe(413)
    expect(await kept()).toBe(0)
  })
  test('is kept once and asks once for a look at its payment, which is done', async () => {
    const id = await pay()
    const text = eventOf(id)
    for (let n = 0; n < 3; n++)
      expect(await send(text, signed(text))).toMatchObject({ status: 200, body: { kept: true } })
    expect(await kept()).toBe(1)
    await kernel.idle()
    const looks = await kernel.sql`select state from journal.commands
      where type = 'payments.observe' and input ->> 'paymentId' = ${id}`
    expect(looks.map(each => each.state)).toEqual(['succeeded'])
  })
})
