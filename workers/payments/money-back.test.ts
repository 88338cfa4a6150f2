import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { TestKernel } from '../../test/harness.ts'
import { broken, outputOf, tradeKernel } from '../../test/trade.ts'
import { openShop, postedFor, type ShopOptions, saidBy, told } from './operations.fixture.ts'

let kernel: TestKernel
let sql: Sql
beforeAll(async () => {
  kernel = await tradeKernel()
  sql = kernel.database.sql('payments')
})
afterAll(() => kernel.stop())

const open = (options: ShopOptions = {}) => openShop(sql, options)

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

test('afterwards no invariant is broken', async () => {
  const left = (await broken(kernel.sql)).filter(each => !each.startsWith('captured '))
  expect(left.filter(each => !each.startsWith('charge of order'))).toEqual([])
})
