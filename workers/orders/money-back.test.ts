import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { recordDispute, recordDisputeEnd, recordRefundFailure } from '../../queues/order-funds.ts'
import type { confirmPayment, recordRefund } from '../../queues/orders.ts'
import { jobOf } from '../../test/trade.ts'
import { type OrderDesk, orderDesk } from './lifecycle.fixture.ts'

let desk: OrderDesk
beforeAll(async () => {
  desk = await orderDesk()
})
afterAll(() => desk.database.drop())

const casesOf = async (orderId: string) => [
  ...(await desk.owner`select kind, cause from orders.cases where order_id = ${orderId}`),
]

describe('money that is not where it was', () => {
  const refund = (money: Awaited<ReturnType<OrderDesk['paid']>>) => ({
    ...money,
    amountMinor: 300,
    refundId: uuidv7(),
  })

  test('orders.record-refund-failure: it is here again, and a case; told before the refund or after it', async () => {
    const money = await desk.paid()
    const input = { ...refund(money), refundedMinor: 0, requestId: uuidv7(), reason: 'account closed' }
    const { isOnce } = await desk.twice(
      desk.handlers['orders.record-refund-failure'],
      jobOf<typeof recordRefundFailure>(input),
    )
    expect(isOnce).toBe(true)
    const { reason: _r, requestId: _q, ...told } = input
    await desk.carry(
      desk.handlers['orders.record-refund'],
      jobOf<typeof recordRefund>({ ...told, refundedMinor: 300 }),
    )
    expect(await desk.rowOf(money.orderId)).toMatchObject({ money: 'captured' })
    expect(await casesOf(money.orderId)).toMatchObject([{ kind: 'refund_failed', cause: input.refundId }])
  })
  test('of two disputes one that is won leaves the other: disputed until both are won', async () => {
    const money = await desk.paid()
    const [one, other] = [uuidv7(), uuidv7()].map(disputeId => ({ ...money, disputeId, reason: 'fraud' }))
    if (!one || !other) throw new Error('no disputes')
    const moneyNow = async () => (await desk.rowOf(money.orderId)).money
    const end = (dispute: typeof one) =>
      desk.carry(
        desk.handlers['orders.record-dispute-end'],
        jobOf<typeof recordDisputeEnd>({ ...dispute, outcome: 'won' }),
      )
    for (const dispute of [one, other])
      await desk.carry(desk.handlers['orders.record-dispute'], jobOf<typeof recordDispute>(dispute))
    await end(one)
    expect(await moneyNow()).toBe('disputed')
    await end(other)
    expect(await moneyNow()).toBe('captured')
  })
  test('what went back counts as it was told last, in whatever order a failure and another refund are worked', async () => {
    const refundedOf = async (orderId: string) =>
      (await desk.owner`select refunded_minor as minor from orders.orders where id = ${orderId}`)[0]?.minor
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ] as const) {
      const money = await desk.paid()
      const lost = { ...refund(money), requestId: uuidv7() }
      const events = [
        { ...lost, refundedMinor: 300, change: 1 },
        { ...lost, refundedMinor: 0, change: 2, reason: 'account closed' },
        { ...refund(money), amountMinor: 200, refundedMinor: 200, change: 3 },
      ] as const
      for (const at of order) {
        const event = events[at]
        await ('reason' in event
          ? desk.carry(
              desk.handlers['orders.record-refund-failure'],
              jobOf<typeof recordRefundFailure>(event),
            )
          : desk.carry(desk.handlers['orders.record-refund'], jobOf<typeof recordRefund>(event)))
      }
      expect([order, await refundedOf(money.orderId)]).toEqual([order, 200])
    }
  })
  test('what is told of a payment before the order counts it waits for that: a dispute, a refund', async () => {
    const money = await desk.moneyOf(await desk.placed())
    const dispute = jobOf<typeof recordDispute>({ ...money, disputeId: uuidv7(), reason: 'not received' })
    const part = { ...refund(money), refundedMinor: 300, change: 1 }
    const refunded = jobOf<typeof recordRefund>(part)
    const both = async () => [
      await desk.carry(desk.handlers['orders.record-refund'], refunded),
      await desk.carry(desk.handlers['orders.record-dispute'], dispute),
    ]
    expect(await both()).toMatchObject([{ kind: 'later' }, { kind: 'later' }])
    expect(await casesOf(money.orderId)).toEqual([])
    await desk.carry(desk.handlers['orders.confirm-payment'], jobOf<typeof confirmPayment>(money))
    expect(await both()).toMatchObject([{ kind: 'done' }, { kind: 'done' }])
    expect(await desk.rowOf(money.orderId)).toMatchObject({ money: 'disputed' })
    expect(await casesOf(money.orderId)).toMatchObject([{ kind: 'dispute' }])
  })
  test('orders.record-dispute and orders.record-dispute-end: disputed until it is won; once each, in either order', async () => {
    const money = await desk.paid()
    const dispute = { ...money, disputeId: uuidv7(), reason: 'not received' }
    const opened = jobOf<typeof recordDispute>(dispute)
    expect((await desk.twice(desk.handlers['orders.record-dispute'], opened)).isOnce).toBe(true)
    expect(await desk.rowOf(money.orderId)).toMatchObject({ money: 'disputed' })
    const won = jobOf<typeof recordDisputeEnd>({ ...dispute, outcome: 'won' })
    expect((await desk.twice(desk.handlers['orders.record-dispute-end'], won)).isOnce).toBe(true)
    expect(await desk.rowOf(money.orderId)).toMatchObject({ money: 'captured' })
    await desk.carry(desk.handlers['orders.record-dispute'], jobOf<typeof recordDispute>(dispute))
    expect(await desk.rowOf(money.orderId)).toMatchObject({ money: 'captured' })
    expect(await casesOf(money.orderId)).toMatchObject([{ kind: 'dispute', cause: dispute.disputeId }])
  })
})
