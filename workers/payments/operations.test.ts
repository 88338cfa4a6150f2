import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { reconcile, voidPayment } from '../../queues/payments.ts'
import type { TestKernel } from '../../test/harness.ts'
import { broken, dump, outputOf, tradeKernel } from '../../test/trade.ts'
import { hourMs, openShop, postedFor, type ShopOptions, saidBy, told } from './operations.fixture.ts'

let kernel: TestKernel
let sql: Sql
beforeAll(async () => {
  kernel = await tradeKernel()
  sql = kernel.database.sql('payments')
})
afterAll(() => kernel.stop())

const open = (options: ShopOptions = {}) => openShop(sql, options)

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
