import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { accept, ship } from '../../queues/order-fulfilment.ts'
import type { awaitAction, confirmAuthorization, recordVoid } from '../../queues/order-funds.ts'
import type { cancel, confirmPayment, expireOverdue } from '../../queues/orders.ts'
import { jobOf } from '../../test/trade.ts'
import { type OrderDesk, orderDesk } from './lifecycle.fixture.ts'

let desk: OrderDesk
beforeAll(async () => {
  desk = await orderDesk()
})
afterAll(() => desk.database.drop())

const inAWeek = new Date(Date.now() + 7 * 24 * 3_600_000).toISOString()
const casesOf = async (orderId: string) => [
  ...(await desk.owner`select kind, cause, payment_id as payment, state from orders.cases where order_id = ${orderId}`),
]
const cancelOf = async (orderId: string) =>
  desk.carry(desk.handlers['orders.cancel'], jobOf<typeof cancel>({ orderId }, { actor: desk.actor }))
const shipOf = (orderId: string) => desk.carry(desk.handlers['orders.ship'], jobOf<typeof ship>({ orderId }))
const captureOf = (money: Awaited<ReturnType<OrderDesk['authorized']>>) =>
  jobOf<typeof confirmPayment>({ ...money, capturedMinor: money.amountMinor, requestId: uuidv7() })

describe('money that is set aside', () => {
  test('orders.confirm-authorization pays the order, twice is once', async () => {
    const money = { ...(await desk.moneyOf(await desk.placed())), captureBefore: inAWeek }
    const job = jobOf<typeof confirmAuthorization>(money)
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.confirm-authorization'], job)
    expect(first).toMatchObject({ kind: 'done', emit: [{ event: { name: 'order.paid' } }] })
    expect(second).toMatchObject({ output: { state: 'paid' }, emit: [], follow: [] })
    expect(isOnce).toBe(true)
    expect(await desk.rowOf(money.orderId)).toMatchObject({ state: 'paid', money: 'authorized', captured: 0 })
  })
  test('is let go when the order is cancelled, and no refund is asked for', async () => {
    const { orderId, paymentId } = await desk.authorized()
    const outcome = await cancelOf(orderId)
    expect(outcome).toMatchObject({ follow: [{ command: { name: 'payments.void' }, input: { paymentId } }] })
    await desk.carry(
      desk.handlers['orders.record-void'],
      jobOf<typeof recordVoid>({
        ...(await desk.moneyOf(orderId)),
        paymentId,
        attempt: 1,
        reason: 'cancelled',
      }),
    )
    expect(await desk.rowOf(orderId)).toMatchObject({ state: 'cancelled', money: 'none' })
    expect(await casesOf(orderId)).toEqual([])
  })
  test('that was captured all the same after the order was cancelled goes back, and is a case', async () => {
    const money = await desk.authorized()
    await cancelOf(money.orderId)
    const { first, second, isOnce } = await desk.twice(
      desk.handlers['orders.confirm-payment'],
      captureOf(money),
    )
    expect(first).toMatchObject({
      output: { state: 'cancelled' },
      follow: [{ command: { name: 'payments.refund' }, input: { amountMinor: money.amountMinor } }],
    })
    expect(second).toMatchObject({ follow: [] })
    expect(isOnce).toBe(true)
    expect(await casesOf(money.orderId)).toMatchObject([
      { kind: 'late_payment', cause: money.paymentId, state: 'open' },
    ])
  })
  test('that comes for an order that has ended is let go, and is a case', async () => {
    const orderId = await desk.placed()
    await cancelOf(orderId)
    const money = { ...(await desk.moneyOf(orderId)), captureBefore: inAWeek }
    const job = jobOf<typeof confirmAuthorization>(money)
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.confirm-authorization'], job)
    expect(first).toMatchObject({
      follow: [{ command: { name: 'payments.void' }, input: { paymentId: money.paymentId } }],
    })
    expect(second).toMatchObject({ follow: [] })
    expect(isOnce).toBe(true)
    expect(await casesOf(orderId)).toMatchObject([{ kind: 'late_payment', payment: money.paymentId }])
  })
  test('is captured before anything is handed over', async () => {
    const money = await desk.authorized()
    const shipped = await shipOf(money.orderId)
    expect(shipped).toMatchObject({
      output: { state: 'fulfilling', shipment: 'awaiting_money' },
      emit: [],
      follow: [
        {
          command: { name: 'payments.capture' },
          input: { paymentId: money.paymentId, amountMinor: money.amountMinor, isFinal: true },
        },
      ],
    })
    expect(await desk.rowOf(money.orderId)).toMatchObject({ handedOver: false, money: 'authorized' })
    const { first, second, isOnce } = await desk.twice(
      desk.handlers['orders.confirm-payment'],
      captureOf(money),
    )
    expect(first).toMatchObject({ emit: [{ event: { name: 'order.shipment-requested' } }], follow: [] })
    expect(second).toMatchObject({ emit: [], follow: [] })
    expect(isOnce).toBe(true)
    expect(await desk.rowOf(money.orderId)).toMatchObject({ handedOver: true, money: 'captured' })
  })
  test('of which a part is captured by hand while pieces wait: the rest is captured, and then they go', async () => {
    const money = await desk.authorized()
    await shipOf(money.orderId)
    const part = captureOf({ ...money, amountMinor: 100 })
    const rest = money.amountMinor - 100
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.confirm-payment'], part)
    expect(first).toMatchObject({
      emit: [],
      follow: [
        {
          command: { name: 'payments.capture' },
          input: { requestId: part.id, amountMinor: rest, isFinal: true },
        },
      ],
    })
    expect(second).toMatchObject({ emit: [], follow: [] })
    expect(isOnce).toBe(true)
    const last = { ...money, amountMinor: rest, capturedMinor: money.amountMinor, requestId: part.id }
    const ended = await desk.carry(
      desk.handlers['orders.confirm-payment'],
      jobOf<typeof confirmPayment>(last),
    )
    expect(ended).toMatchObject({ emit: [{ event: { name: 'order.shipment-requested' } }], follow: [] })
  })
  test('of a kitchen: the ticket is written when the money is there', async () => {
    const orderId = await desk.placed()
    await desk.toKitchen(orderId)
    const money = await desk.moneyOf(orderId)
    await desk.carry(
      desk.handlers['orders.confirm-authorization'],
      jobOf<typeof confirmAuthorization>({ ...money, captureBefore: inAWeek }),
    )
    const job = jobOf<typeof accept>({ orderId })
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.accept'], job)
    expect(first).toMatchObject({ output: { shipment: 'awaiting_money' }, follow: [{}], emit: [] })
    expect(second).toMatchObject({ follow: [], emit: [] })
    expect(isOnce).toBe(true)
    expect(await desk.carry(desk.handlers['orders.confirm-payment'], captureOf(money))).toMatchObject({
      emit: [{ event: { name: 'order.kitchen-accepted' }, payload: { shipmentId: job.id, orderId } }],
    })
  })
  test('that is lost before anything is handed over cancels the order, and is a case; twice is once', async () => {
    const money = await desk.authorized()
    await shipOf(money.orderId)
    const job = jobOf<typeof recordVoid>({ ...money, attempt: 1, reason: 'expired' })
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.record-void'], job)
    expect(first).toMatchObject({
      output: { state: 'cancelled' },
      emit: [{ event: { name: 'order.cancelled' } }],
    })
    expect(second).toMatchObject({ emit: [] })
    expect(isOnce).toBe(true)
    expect(await casesOf(money.orderId)).toMatchObject([
      { kind: 'authorization_lost', cause: money.paymentId },
    ])
    const [shipment] = await desk.owner`select state from orders.shipments where order_id = ${money.orderId}`
    expect(shipment?.state).toBe('cancelled')
  })
})

describe('a charge that the buyer has to confirm', () => {
  const url = 'https://bank.example/confirm'
  const action = async (orderId: string) => ({ ...(await desk.moneyOf(orderId)), attempt: 1, url })
  const expiryOf = async (orderId: string) => {
    const [row] = await desk.owner<
      { at: Date }[]
    >`select expires_at as at from orders.orders where id = ${orderId}`
    return row?.at.getTime() ?? 0
  }

  test('orders.await-action shows where, and keeps the pieces for as long again, once', async () => {
    const orderId = await desk.placed()
    const before = await expiryOf(orderId)
    const job = jobOf<typeof awaitAction>(await action(orderId), { now: new Date(Date.now() + 60_000) })
    const { isOnce } = await desk.twice(desk.handlers['orders.await-action'], job)
    expect(isOnce).toBe(true)
    expect(await desk.rowOf(orderId)).toMatchObject({
      action: { paymentId: job.input.paymentId, url },
      charging: false,
    })
    expect(await expiryOf(orderId)).toBeGreaterThan(before)
  })
  test('is called off when the order is cancelled, before or after it is heard of', async () => {
    const orderId = await desk.placed()
    const input = await action(orderId)
    await desk.carry(desk.handlers['orders.await-action'], jobOf<typeof awaitAction>(input))
    const letGo = { follow: [{ command: { name: 'payments.void' }, input: { paymentId: input.paymentId } }] }
    expect(await cancelOf(orderId)).toMatchObject(letGo)

    const other = await desk.placed()
    await cancelOf(other)
    const late = await action(other)
    expect(
      await desk.carry(desk.handlers['orders.await-action'], jobOf<typeof awaitAction>(late)),
    ).toMatchObject({
      follow: [{ command: { name: 'payments.void' }, input: { paymentId: late.paymentId } }],
    })
  })
  test('is called off when the order expires, and nobody waits for it any longer than that', async () => {
    const orderId = await desk.placed()
    const input = await action(orderId)
    await desk.carry(desk.handlers['orders.await-action'], jobOf<typeof awaitAction>(input))
    const job = jobOf<typeof expireOverdue>({}, { now: new Date(Date.now() + 3_600_000) })
    const outcome = await desk.carry(desk.handlers['orders.expire-overdue'], job)
    expect(outcome.kind === 'done' ? outcome.follow : []).toContainEqual(
      expect.objectContaining({ input: expect.objectContaining({ paymentId: input.paymentId }) }),
    )
    expect(await desk.rowOf(orderId)).toMatchObject({ state: 'expired' })
  })
  test('and is let go instead has failed: the buyer may pay again', async () => {
    const orderId = await desk.placed()
    const { url: _, ...input } = await action(orderId)
    await desk.carry(desk.handlers['orders.await-action'], jobOf<typeof awaitAction>({ ...input, url }))
    const job = jobOf<typeof recordVoid>({ ...input, reason: 'expired' })
    const { first, isOnce } = await desk.twice(desk.handlers['orders.record-void'], job)
    expect(first).toMatchObject({ output: { state: 'payment_failed' } })
    expect(isOnce).toBe(true)
    expect(await desk.rowOf(orderId)).toMatchObject({ state: 'payment_failed', action: null })
  })
})
