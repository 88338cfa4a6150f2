import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { capture, observe, reconcile, refund, voidPayment } from '../../queues/payments.ts'
import type { TestKernel } from '../../test/harness.ts'
import { broken, dump, outputOf, tradeKernel } from '../../test/trade.ts'
import { hourMs, postedFor, saidBy, serviceAt, told } from './operations.fixture.ts'
import { scriptedProvider } from './scripted.fixture.ts'

let kernel: TestKernel
let sql: Sql
beforeAll(async () => {
  kernel = await tradeKernel()
  sql = kernel.database.sql('payments')
})
afterAll(() => kernel.stop())

const open = (options: { severalCaptures?: boolean; actionMs?: number } = {}) => {
  const scripted = scriptedProvider(options)
  const service = serviceAt(sql, scripted.provider, options)
  const of = (paymentId: string) => ({
    capture: (amountMinor: number, rest: { isFinal?: boolean; requestId?: string } = {}) =>
      service.run<typeof capture>('payments.capture', { paymentId, amountMinor, ...rest }),
    void: (requestId: string = uuidv7()) =>
      service.run<typeof voidPayment>('payments.void', { paymentId, requestId, reason: 'a test' }),
    refund: (amountMinor: number, requestId: string = uuidv7()) =>
      service.run<typeof refund>('payments.refund', { paymentId, requestId, amountMinor, reason: 'a test' }),
    observe: (given = {}) => service.run<typeof observe>('payments.observe', { paymentId }, given),
  })
  return { ...scripted, ...service, of }
}

describe('payments.charge in manual mode', () => {
  test('sets the money aside, captures nothing, posts nothing, and tells until when', async () => {
    const shop = open()
    const { outcome, paymentId } = await shop.charge()
    expect(told(outcome)).toEqual(['payment.authorized'])
    expect(saidBy(outcome, 'payment.authorized')).toMatchObject({
      amountMinor: 1_000,
      captureBefore: expect.any(String),
    })
    expect(await shop.stateOf(paymentId)).toMatchObject({ status: 'authorized', capturedMinor: 0 })
    expect(await postedFor(sql, paymentId)).toEqual([])
  })
  test('a split that does not add up is a bug, and nothing is charged', async () => {
    const shop = open()
    const split = [{ account: 'commission', amountMinor: 999 }]
    await expect(shop.charge({ split })).rejects.toThrow('do not add up')
  })
})

describe('a charge that the buyer has to confirm', () => {
  test('is told once with its address, waits, and is set aside when the buyer is through', async () => {
    const shop = open()
    const { outcome, paymentId } = await shop.charge({ paymentMethod: 'pm_card_3ds' })
    expect(told(outcome)).toEqual(['payment.action-required'])
    expect(outcome).toMatchObject({
      output: { status: 'action_required' },
      follow: [{ input: { paymentId } }],
    })
    expect(await shop.of(paymentId).observe()).toMatchObject({ kind: 'later' })
    shop.kept(paymentId).answer = { kind: 'authorized', reference: 'x', captureBefore: new Date() }
    expect(told(await shop.of(paymentId).observe())).toEqual(['payment.authorized'])
  })
  test('is let go and declined when the time is over', async () => {
    const shop = open({ actionMs: -1 })
    const { paymentId } = await shop.charge({ paymentMethod: 'pm_card_3ds' })
    const outcome = await shop.of(paymentId).observe()
    expect(saidBy(outcome, 'payment.declined')).toMatchObject({
      declineCode: 'authentication_expired',
      attempt: 1,
    })
    expect(shop.kept(paymentId).answer.kind).toBe('voided')
    expect(await shop.of(paymentId).capture(1)).toMatchObject({ code: 'payment_state_conflict' })
  })
  test('is not let go if the buyer was through at the last moment', async () => {
    const shop = open({ actionMs: -1 })
    const { paymentId } = await shop.charge({ paymentMethod: 'pm_card_3ds' })
    shop.kept(paymentId).answer = { kind: 'authorized', reference: 'x', captureBefore: new Date() }
    expect(told(await shop.of(paymentId).observe())).toEqual(['payment.authorized'])
  })
  test('that the provider does not know the end of itself is asked for again until it does', async () => {
    const shop = open()
    const { outcome, paymentId } = await shop.charge({ paymentMethod: 'pm_card_slow' })
    expect(outcome).toMatchObject({ output: { status: 'processing' }, follow: [{ input: { paymentId } }] })
    expect(await shop.of(paymentId).observe()).toMatchObject({ kind: 'later' })
    shop.kept(paymentId).answer = { kind: 'declined', reference: null, declineCode: 'no_funds' }
    expect(told(await shop.of(paymentId).observe())).toEqual(['payment.declined'])
  })
})

describe('payments.capture', () => {
  test('part after part is taken and told with the sum so far; the last one lets the rest go', async () => {
    const shop = open()
    const { paymentId } = await shop.charge()
    const { capture } = shop.of(paymentId)
    expect(saidBy(await capture(300), 'payment.captured')).toMatchObject({
      amountMinor: 300,
      capturedMinor: 300,
    })
    expect(await shop.stateOf(paymentId)).toMatchObject({ status: 'partially_captured' })
    expect(saidBy(await capture(200, { isFinal: true }), 'payment.captured')).toMatchObject({
      capturedMinor: 500,
    })
    expect(await shop.stateOf(paymentId)).toMatchObject({
      status: 'captured',
      capturedMinor: 500,
      captureBefore: null,
    })
    expect(shop.kept(paymentId).answer.kind).toBe('captured')
    expect(await capture(1)).toMatchObject({
      code: 'payment_state_conflict',
      detail: { current: 'captured' },
    })
    expect(await postedFor(sql, paymentId)).toEqual([
      'capture: 300 provider:scripted < sales',
      'capture: 200 provider:scripted < sales',
    ])
  })
  test('more than is set aside is refused with what is left', async () => {
    const shop = open()
    const { paymentId } = await shop.charge()
    const { capture } = shop.of(paymentId)
    await capture(700)
    expect(await capture(301)).toMatchObject({
      code: 'capture_exceeds_authorization',
      detail: { leftMinor: 300 },
    })
    expect(told(await capture(300))).toEqual(['payment.captured'])
    expect(await shop.stateOf(paymentId)).toMatchObject({ status: 'captured' })
  })
  test('a provider that takes one capture lets the rest go with it', async () => {
    const shop = open({ severalCaptures: false })
    const { paymentId } = await shop.charge()
    await shop.of(paymentId).capture(300)
    expect(await shop.stateOf(paymentId)).toMatchObject({ status: 'captured', capturedMinor: 300 })
  })
  test('twenty of 90 at once of 1000: eleven, and never more than was set aside', async () => {
    const shop = open()
    const { paymentId } = await shop.charge()
    const all = await Promise.all(Array.from({ length: 20 }, () => shop.of(paymentId).capture(90)))
    expect(all.filter(each => each.kind === 'done')).toHaveLength(11)
    expect(shop.takenFrom(paymentId)).toBe(990)
    expect(await shop.stateOf(paymentId)).toMatchObject({ capturedMinor: 990, capturePendingMinor: 0 })
  })
  for (const fault of ['before', 'after'] as const) {
    test(`no answer, lost ${fault} the money was taken: it is asked for by its key, and taken once`, async () => {
      const shop = open()
      const { paymentId } = await shop.charge()
      const requestId = uuidv7()
      shop.fail('capture', fault)
      const first = await shop.of(paymentId).capture(400, { requestId })
      expect(first).toMatchObject({ kind: 'later' })
      expect(await shop.stateOf(paymentId)).toMatchObject({ capturedMinor: 0, capturePendingMinor: 400 })
      expect(told(await shop.of(paymentId).capture(400, { requestId }))).toEqual(['payment.captured'])
      expect(shop.takenFrom(paymentId)).toBe(400)
    })
  }
  test('what is unknown is asked before anything else is done, and what comes of it is told', async () => {
    const shop = open()
    const { paymentId } = await shop.charge()
    shop.fail('capture', 'after')
    await shop.of(paymentId).capture(400)
    expect(told(await shop.of(paymentId).capture(600))).toEqual(['payment.captured'])
    expect(await shop.stateOf(paymentId)).toMatchObject({ status: 'captured', capturedMinor: 1_000 })
    const [event] = await kernel.sql`select payload from journal.events
      where type = 'payment.captured' and payload ->> 'paymentId' = ${paymentId}`
    expect(event?.payload).toMatchObject({ amountMinor: 400, capturedMinor: 400 })
  })
  test('while the provider is silent, a person is told that it is, and the system waits', async () => {
    const shop = open()
    const { paymentId } = await shop.charge()
    shop.fail('capture', 'after')
    await shop.of(paymentId).capture(400)
    shop.failBy(() => 'before')
    const ask = (scopes: readonly 'payments:write'[], run: number) =>
      shop.run<typeof voidPayment>(
        'payments.void',
        { paymentId, reason: 'a test' },
        { run, actor: { id: uuidv7(), scopes } },
      )
    expect(await ask(['payments:write'], 1)).toMatchObject({ kind: 'later' })
    expect(await ask(['payments:write'], 4)).toMatchObject({ code: 'payment_unresolved' })
    expect(await ask([], 4)).toMatchObject({ kind: 'later' })
  })
  test('of money that the provider has let go fails, and tells that it was let go', async () => {
    const shop = open()
    const { paymentId } = await shop.charge()
    shop.kept(paymentId).answer = { kind: 'voided', reference: 'x' }
    const outcome = await shop.of(paymentId).capture(400)
    expect(outputOf(outcome)).toMatchObject({ status: 'failed' })
    expect(told(outcome)).toEqual(['payment.voided'])
    expect(await shop.stateOf(paymentId)).toMatchObject({ status: 'voided', capturePendingMinor: 0 })
  })
  test('of no payment is refused', async () => {
    expect(await open().of(uuidv7()).capture(1)).toMatchObject({ code: 'payment_not_found' })
  })
})

describe('payments.void', () => {
  test('lets everything go; afterwards nothing is captured', async () => {
    const shop = open()
    const { paymentId } = await shop.charge()
    const requestId = uuidv7()
    expect(saidBy(await shop.of(paymentId).void(requestId), 'payment.voided')).toMatchObject({
      amountMinor: 1_000,
      reason: 'a test',
      requestId,
    })
    expect(await shop.of(paymentId).capture(1)).toMatchObject({ code: 'payment_state_conflict' })
    expect(await shop.of(paymentId).void()).toMatchObject({ code: 'nothing_to_void' })
  })
  test('of what is captured, even in part, is refused', async () => {
    const shop = open()
    const { paymentId } = await shop.charge()
    await shop.of(paymentId).capture(1)
    expect(await shop.of(paymentId).void()).toMatchObject({ code: 'already_captured' })
  })
  test('of a charge that the buyer has not confirmed keeps it from being confirmed', async () => {
    const shop = open()
    const { paymentId } = await shop.charge({ paymentMethod: 'pm_card_3ds' })
    expect(outputOf(await shop.of(paymentId).void())).toMatchObject({ status: 'succeeded' })
    expect(shop.kept(paymentId).answer.kind).toBe('voided')
    expect(await shop.stateOf(paymentId)).toMatchObject({ status: 'declined' })
  })
  for (const fault of ['before', 'after'] as const) {
    test(`no answer, lost ${fault} it was let go: nothing is captured meanwhile, and it is let go once`, async () => {
      const shop = open()
      const { paymentId } = await shop.charge()
      const requestId = uuidv7()
      shop.fail('void', fault)
      expect(await shop.of(paymentId).void(requestId)).toMatchObject({ kind: 'later' })
      shop.fail('find', 'before')
      expect(await shop.of(paymentId).capture(100)).toMatchObject({ kind: 'later' })
      expect(told(await shop.of(paymentId).void(requestId))).toEqual(['payment.voided'])
      expect(await shop.stateOf(paymentId)).toMatchObject({ status: 'voided' })
    })
  }
  test('a capture and a void at once: one of them, never both', async () => {
    for (let n = 0; n < 10; n++) {
      const shop = open()
      const { paymentId } = await shop.charge()
      await Promise.all([shop.of(paymentId).capture(1_000), shop.of(paymentId).void()])
      const { status, capturedMinor } = await shop.stateOf(paymentId)
      expect(['captured', 'voided']).toContain(status)
      expect(capturedMinor).toBe(status === 'captured' ? 1_000 : 0)
      expect(shop.takenFrom(paymentId)).toBe(capturedMinor)
    }
  })
})

describe('payments.refund', () => {
  const captured = async (shop: ReturnType<typeof open>) =>
    (await shop.charge({ capture: 'automatic' })).paymentId

  test('that the provider accepts and ends later is told when it has ended', async () => {
    const shop = open()
    const paymentId = await captured(shop)
    shop.answerRefunds('pending')
    const outcome = await shop.of(paymentId).refund(400)
    expect([told(outcome), outputOf(outcome).status]).toEqual([[], 'pending'])
    expect(await shop.stateOf(paymentId)).toMatchObject({ refundedMinor: 0, refundPendingMinor: 400 })
    Object.assign(shop.kept(paymentId).refunds[0] ?? {}, { status: 'succeeded' })
    expect(told(await shop.of(paymentId).observe())).toEqual(['payment.refunded'])
    expect(await shop.stateOf(paymentId)).toMatchObject({ refundedMinor: 400, refundPendingMinor: 0 })
  })
  test('that the provider cannot make fails, is told, and its amount is free again', async () => {
    const shop = open()
    const paymentId = await captured(shop)
    shop.answerRefunds('failed')
    const outcome = await shop.of(paymentId).refund(1_000)
    expect(saidBy(outcome, 'payment.refund-failed')).toMatchObject({
      refundedMinor: 0,
      reason: 'the card is closed',
    })
    shop.answerRefunds('refunded')
    expect(told(await shop.of(paymentId).refund(1_000))).toEqual(['payment.refunded'])
  })
  test('that had gone back and fails after all is reversed in the books', async () => {
    const shop = open()
    const paymentId = await captured(shop)
    await shop.of(paymentId).refund(400)
    Object.assign(shop.kept(paymentId).refunds[0] ?? {}, { status: 'failed' })
    expect(saidBy(await shop.of(paymentId).observe(), 'payment.refund-failed')).toMatchObject({
      refundedMinor: 0,
      change: 2,
    })
    expect(await shop.stateOf(paymentId)).toMatchObject({ refundedMinor: 0 })
    expect((await postedFor(sql, paymentId)).slice(1)).toEqual([
      'refund: 400 refunds < provider:scripted',
      'refund_reversal: 400 provider:scripted < refunds',
    ])
    expect(saidBy(await shop.of(paymentId).refund(1_000), 'payment.refunded')).toMatchObject({ change: 3 })
  })
  test('one that somebody made at the provider counts like ours', async () => {
    const shop = open()
    const paymentId = await captured(shop)
    shop.kept(paymentId).refunds.push({ key: null, reference: 're_1', amountMinor: 300, status: 'succeeded' })
    expect(told(await shop.of(paymentId).observe())).toEqual(['payment.refunded'])
    expect(told(await shop.of(paymentId).observe())).toEqual([])
    expect(await shop.of(paymentId).refund(701)).toMatchObject({
      code: 'refund_exceeds_capture',
      detail: { leftMinor: 700 },
    })
  })
})

describe('disputes', () => {
  const disputed = async (status: 'needs_response' | 'won' | 'lost' = 'needs_response') => {
    const shop = open()
    const store = `store:${uuidv7()}`
    const split = [
      { account: store, amountMinor: 800 },
      { account: 'tax:DE', amountMinor: 150 },
      { account: 'commission', amountMinor: 50 },
    ]
    const { paymentId } = await shop.charge({ capture: 'automatic', split })
    const dispute = { reference: 'dp_1', amountMinor: 1_000, status, reason: 'fraudulent' }
    shop.kept(paymentId).disputes.push(dispute)
    const move = (to: typeof status) => shop.kept(paymentId).disputes.splice(0, 1, { ...dispute, status: to })
    return { shop, store, paymentId, move, opened: await shop.of(paymentId).observe() }
  }
  test('opened: told, the money is gone for now, and no refund pays twice', async () => {
    const { shop, paymentId, opened } = await disputed()
    expect(saidBy(opened, 'payment.dispute-opened')).toMatchObject({
      amountMinor: 1_000,
      reason: 'fraudulent',
    })
    expect(outputOf(opened).status).toBe('disputed')
    expect(await shop.of(paymentId).refund(1)).toMatchObject({ code: 'payment_disputed' })
    expect((await postedFor(sql, paymentId)).at(-1)).toBe('dispute: 1000 disputes < provider:scripted')
  })
  test('won: told, the money is back, and a refund is possible again', async () => {
    const { shop, paymentId, move } = await disputed()
    move('won')
    const outcome = await shop.of(paymentId).observe()
    expect(saidBy(outcome, 'payment.dispute-closed')).toMatchObject({ outcome: 'won' })
    expect((await postedFor(sql, paymentId)).at(-1)).toBe('dispute_won: 1000 provider:scripted < disputes')
    expect(told(await shop.of(paymentId).refund(1))).toEqual(['payment.refunded'])
  })
  test('lost: told, each part bears its share, and a refund stays refused', async () => {
    const { shop, paymentId, store, move } = await disputed()
    move('lost')
    expect(told(await shop.of(paymentId).observe())).toEqual(['payment.dispute-closed'])
    expect((await postedFor(sql, paymentId)).slice(-3)).toEqual([
      `dispute_lost: 800 ${store} < disputes`,
      'dispute_lost: 150 tax:DE < disputes',
      'dispute_lost: 50 commission < disputes',
    ])
    expect(await shop.of(paymentId).refund(1)).toMatchObject({ code: 'payment_disputed' })
  })
  test('lost after a part had gone back: what the bank took twice is the loss of the shop', async () => {
    const shop = open()
    const split = [
      { account: 'tax:DE', amountMinor: 150 },
      { account: 'commission', amountMinor: 850 },
    ]
    const { paymentId } = await shop.charge({ capture: 'automatic', split })
    await shop.of(paymentId).refund(400)
    const dispute = { reference: 'dp_1', amountMinor: 1_000, status: 'lost', reason: 'fraudulent' } as const
    shop.kept(paymentId).disputes.push(dispute)
    await shop.of(paymentId).observe()
    expect((await postedFor(sql, paymentId)).slice(-3)).toEqual([
      'dispute_lost: 90 tax:DE < disputes',
      'dispute_lost: 510 commission < disputes',
      'dispute_lost: 400 refunds < disputes',
    ])
  })
  test('lost while a refund was on its way: what the parts have not any more is the loss of the shop', async () => {
    const shop = open()
    const store = `store:${uuidv7()}`
    const split = [
      { account: store, amountMinor: 900 },
      { account: 'commission', amountMinor: 100 },
    ]
    const { paymentId } = await shop.charge({ capture: 'automatic', split })
    shop.answerRefunds('pending')
    await shop.of(paymentId).refund(400)
    const dispute = { reference: 'dp_1', amountMinor: 800, status: 'lost', reason: 'fraudulent' } as const
    shop.kept(paymentId).disputes.push(dispute)
    await shop.of(paymentId).observe()
    Object.assign(shop.kept(paymentId).refunds[0] ?? {}, { status: 'succeeded' })
    expect(told(await shop.of(paymentId).observe())).toEqual(['payment.refunded'])
    expect((await postedFor(sql, paymentId)).slice(-3)).toEqual([
      `refund: 180 ${store} < provider:scripted`,
      'refund: 20 commission < provider:scripted',
      'refund: 200 refunds < provider:scripted',
    ])
    Object.assign(shop.kept(paymentId).refunds[0] ?? {}, { status: 'failed' })
    expect(told(await shop.of(paymentId).observe())).toEqual(['payment.refund-failed'])
    expect(await shop.stateOf(paymentId)).toMatchObject({ refundedMinor: 0, refundPendingMinor: 0 })
  })
  test('that is over when it is first heard of is opened and closed', async () => {
    const { opened, shop, paymentId, move } = await disputed('lost')
    expect(told(opened)).toEqual(['payment.dispute-opened', 'payment.dispute-closed'])
    move('needs_response') // an older view
    expect(told(await shop.of(paymentId).observe())).toEqual([])
  })
})

describe('payments.observe and payments.reconcile', () => {
  test('what a person did at the provider is kept: captured, let go', async () => {
    const shop = open()
    const { paymentId } = await shop.charge()
    shop.kept(paymentId).captures.push({ key: 'by hand', amountMinor: 600 })
    shop.kept(paymentId).answer = { kind: 'captured', reference: 'x' }
    expect(saidBy(await shop.of(paymentId).observe(), 'payment.captured')).toMatchObject({ amountMinor: 600 })
    expect(await shop.stateOf(paymentId)).toMatchObject({ status: 'captured', capturedMinor: 600 })
    const other = await shop.charge()
    shop.kept(other.paymentId).answer = { kind: 'voided', reference: 'x' }
    expect(told(await shop.of(other.paymentId).observe())).toEqual(['payment.voided'])
  })
  test('of no payment is refused', async () => {
    expect(await open().of(uuidv7()).observe()).toMatchObject({ code: 'payment_not_found' })
  })
  test('what was not captured in time is let go, once; what is open for long is looked at', async () => {
    const shop = open()
    const { paymentId } = await shop.charge()
    const sweep = (now: Date) => shop.run<typeof reconcile>('payments.reconcile', {}, { now })
    const namesOf = (outcome: Awaited<ReturnType<typeof sweep>>) =>
      (outcome.kind === 'done' ? outcome.follow : [])
        .filter(({ input }) => (input as { paymentId?: string }).paymentId === paymentId)
        .map(({ command }) => command.name)
    expect(namesOf(await sweep(new Date()))).toEqual([])
    const later = new Date(Date.now() + 2 * hourMs)
    expect(namesOf(await sweep(later))).toEqual(['payments.observe'])
    const muchLater = new Date(Date.now() + 8 * 24 * hourMs)
    expect(namesOf(await sweep(muchLater))).toContain('payments.void')
    expect(namesOf(await sweep(new Date(muchLater.getTime() + 1)))).not.toContain('payments.void')
  })
})

describe('twice is once', () => {
  test('every operation of a payment, asked for again by the same request', async () => {
    const shop = open()
    const { paymentId } = await shop.charge()
    const other = (await shop.charge()).paymentId
    const ids = [uuidv7(), uuidv7(), uuidv7()] as const
    const now = new Date()
    const all = [
      () => shop.of(paymentId).capture(600, { requestId: ids[0] }),
      () => shop.of(paymentId).refund(600, ids[1]),
      () => shop.of(other).void(ids[2]),
      () => shop.of(paymentId).observe({ now }),
    ]
    for (const run of all) {
      const first = await run()
      const before = await dump(kernel.sql)
      const second = await run()
      expect(await dump(kernel.sql)).toEqual(before)
      expect(second).toEqual({ ...first, follow: [], emit: [] } as typeof second)
    }
  })
})

test('afterwards no invariant is broken', async () => {
  const left = (await broken(kernel.sql)).filter(each => !each.startsWith('captured '))
  expect(left.filter(each => !each.startsWith('charge of order'))).toEqual([])
})
