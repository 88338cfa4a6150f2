import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type {
  accept,
  cancelUnaccepted,
  recordDelivery,
  recordShipmentLoss,
  recordShipmentReturn,
  reject,
  ship,
} from '../../queues/order-fulfilment.ts'
import type { cancel, confirmPayment, recordRefund } from '../../queues/orders.ts'
import { jobOf, somebody } from '../../test/trade.ts'
import { type OrderDesk, orderDesk } from './lifecycle.fixture.ts'

let desk: OrderDesk
beforeAll(async () => {
  desk = await orderDesk()
})
afterAll(() => desk.database.drop())

type Lines = readonly { sku: string; quantity: number }[]
const shipping = (orderId: string, lines?: Lines) =>
  jobOf<typeof ship>({ orderId, ...(lines && { lines: [...lines] }) })
const shipOf = (orderId: string, lines?: Lines) =>
  desk.carry(desk.handlers['orders.ship'], shipping(orderId, lines))
const arrival = (orderId: string, shipmentId: string) =>
  jobOf<typeof recordDelivery>({
    orderId,
    shipmentId,
    customerId: desk.actor.id,
    lines: [{ sku: 'TEA', quantity: 1 }],
  })
const deliver = (orderId: string, shipmentId: string) =>
  desk.carry(desk.handlers['orders.record-delivery'], arrival(orderId, shipmentId))
const cancelOf = (orderId: string) =>
  desk.carry(desk.handlers['orders.cancel'], jobOf<typeof cancel>({ orderId }, { actor: desk.actor }))
const stockOf = async (sku: string) => {
  const [row] = await desk.owner<{ hand: number; reserved: number }[]>`
    select on_hand as hand, reserved from catalog.stock where sku = ${sku}`
  return { hand: row?.hand ?? 0, reserved: row?.reserved ?? 0 }
}
const aKitchens = async (acceptWithinMs?: number) => {
  const orderId = await desk.placed()
  await desk.toKitchen(orderId, acceptWithinMs)
  const money = await desk.moneyOf(orderId)
  await desk.carry(desk.handlers['orders.confirm-payment'], jobOf<typeof confirmPayment>(money))
  return money
}

describe('orders.ship', () => {
  test('sends all that is left: its pieces leave the shelf, twice is once', async () => {
    const { orderId } = await desk.paid()
    const before = await stockOf('TEA')
    const job = shipping(orderId)
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.ship'], job)
    const lines = [
      { sku: 'CUP', quantity: 1 },
      { sku: 'TEA', quantity: 2 },
    ]
    expect(first).toMatchObject({
      output: { state: 'fulfilling', shipment: 'handed_over', shipmentId: job.id },
      emit: [
        { event: { name: 'order.shipment-requested' }, payload: { shipmentId: job.id, orderId, lines } },
      ],
      follow: [],
    })
    expect(second).toMatchObject({ output: { shipmentId: job.id }, emit: [], follow: [] })
    expect(isOnce).toBe(true)
    expect(await stockOf('TEA')).toEqual({ hand: before.hand - 2, reserved: before.reserved - 2 })
  })
  test('sends the order in parts, never more than it has, also when two do it at once', async () => {
    const { orderId } = await desk.paid(3)
    expect(await shipOf(orderId, [{ sku: 'TEA', quantity: 4 }])).toMatchObject({
      code: 'not_left',
      detail: { lines: [{ sku: 'TEA', requested: 4, left: 3 }] },
    })
    expect(await desk.rowOf(orderId)).toMatchObject({ state: 'paid' })
    const two = await Promise.all([1, 2].map(() => shipOf(orderId, [{ sku: 'TEA', quantity: 2 }])))
    expect(two.map(({ kind }) => kind).sort()).toEqual(['done', 'rejected'])
    expect(await shipOf(orderId, [{ sku: 'PEN', quantity: 1 }])).toMatchObject({ code: 'not_left' })
    const rest = await shipOf(orderId)
    expect(rest).toMatchObject({
      emit: [{ payload: { lines: [{ sku: 'CUP' }, { sku: 'TEA', quantity: 1 }] } }],
    })
    expect(await shipOf(orderId)).toMatchObject({ code: 'not_left', detail: { lines: [] } })
  })
  test('has the money captured once, however many parts wait for it, and sends them all when it is there', async () => {
    const money = await desk.authorized(2)
    const parts = [
      await shipOf(money.orderId, [{ sku: 'TEA', quantity: 1 }]),
      await shipOf(money.orderId, [{ sku: 'TEA', quantity: 1 }]),
    ]
    expect(parts.map(part => (part.kind === 'done' ? part.follow.length : part))).toEqual([1, 0])
    const told = await desk.carry(
      desk.handlers['orders.confirm-payment'],
      jobOf<typeof confirmPayment>(money),
    )
    expect(told).toMatchObject({ emit: [{ payload: {} }, { payload: {} }] })
  })
  test('is refused for an order that is not paid, that a kitchen accepts, or that is not there', async () => {
    expect(await shipOf(await desk.placed())).toMatchObject({
      code: 'order_state_conflict',
      detail: { current: 'pending_payment', allowed: ['paid', 'fulfilling'] },
    })
    expect(await shipOf((await aKitchens()).orderId)).toMatchObject({ code: 'wrong_fulfilment' })
    expect(await shipOf(uuidv7())).toMatchObject({ code: 'order_not_found' })
  })
  test('or orders.cancel: of the two at once one wins, and the other is told', async () => {
    for (let round = 0; round < 8; round++) {
      const { orderId } = await desk.paid()
      const both = await Promise.all([shipOf(orderId), cancelOf(orderId)])
      const kinds = both.map(outcome => outcome.kind)
      // Who comes second in the same instant is asked to look again, and is then told.
      expect(kinds.filter(kind => kind === 'done')).toHaveLength(1)
      const { state } = await desk.rowOf(orderId)
      expect(state).toBe(kinds[0] === 'done' ? 'fulfilling' : 'cancelled')
      const loser = kinds[0] === 'done' ? await cancelOf(orderId) : await shipOf(orderId)
      expect(loser).toMatchObject({ code: 'order_state_conflict' })
    }
  })
})

describe('the kitchen', () => {
  test('orders.accept takes the order in time: a ticket with all its pieces, twice is once', async () => {
    const { orderId } = await aKitchens()
    const job = jobOf<typeof accept>({ orderId })
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.accept'], job)
    expect(first).toMatchObject({
      output: { state: 'fulfilling', shipment: 'handed_over' },
      emit: [{ event: { name: 'order.kitchen-accepted' }, payload: { shipmentId: job.id, lines: [{}, {}] } }],
    })
    expect(second).toMatchObject({ emit: [] })
    expect(isOnce).toBe(true)
  })
  test('accepts nothing too late, and nothing that is to be shipped', async () => {
    const { orderId } = await aKitchens(1)
    const late = jobOf<typeof accept>({ orderId }, { now: new Date(Date.now() + 1_000) })
    expect(await desk.carry(desk.handlers['orders.accept'], late)).toMatchObject({
      code: 'accept_deadline_passed',
    })
    const parcel = jobOf<typeof accept>({ orderId: (await desk.paid()).orderId })
    expect(await desk.carry(desk.handlers['orders.accept'], parcel)).toMatchObject({
      code: 'wrong_fulfilment',
    })
  })
  test('orders.cancel-unaccepted: not accepted in time, it is cancelled and the money goes back, once', async () => {
    const money = await aKitchens(1)
    const waiting = await aKitchens()
    const job = jobOf<typeof cancelUnaccepted>({}, { now: new Date(Date.now() + 1_000) })
    const first = await desk.carry(desk.handlers['orders.cancel-unaccepted'], job)
    expect(first).toMatchObject({
      kind: 'done',
      output: { cancelled: 2 }, // the one of the test before, too
      emit: [{ event: { name: 'order.cancelled' } }, {}],
    })
    const refunds = first.kind === 'done' ? first.follow.map(each => each.input) : []
    expect(refunds).toContainEqual(
      expect.objectContaining({ paymentId: money.paymentId, amountMinor: money.amountMinor }),
    )
    expect(await desk.carry(desk.handlers['orders.cancel-unaccepted'], job)).toMatchObject({
      output: { cancelled: 0 },
    })
    const [step] =
      await desk.owner`select cause from orders.history where order_id = ${money.orderId} and to_state = 'cancelled'`
    expect(step?.cause).toBe('orders.cancel-unaccepted')
    expect(await desk.rowOf(waiting.orderId)).toMatchObject({ state: 'paid' })
  })
  test('the clock foresees a deadline that comes before it comes round again', async () => {
    const { orderId } = await aKitchens(5_000)
    const job = jobOf<typeof cancelUnaccepted>({})
    const outcome = await desk.carry(desk.handlers['orders.cancel-unaccepted'], job)
    const [row] = await desk.owner<
      { at: Date }[]
    >`select accept_by as at from orders.orders where id = ${orderId}`
    const dueAt = outcome.kind === 'done' ? outcome.follow.map(each => job.now.getTime() + each.delayMs) : []
    expect(dueAt).toContain(row?.at.getTime() ?? 0)
    const foreseen = jobOf<typeof cancelUnaccepted>({ foreseen: true })
    expect(await desk.carry(desk.handlers['orders.cancel-unaccepted'], foreseen)).toMatchObject({
      follow: [],
    })
  })
})

describe('orders.reject', () => {
  const rejecting = (orderId: string) =>
    jobOf<typeof reject>({ orderId, reason: 'sold out' }, { actor: somebody() })
  test('cancels what is paid, for its merchant: the money goes back, twice is once', async () => {
    const money = await aKitchens()
    const { first, second, isOnce } = await desk.twice(
      desk.handlers['orders.reject'],
      rejecting(money.orderId),
    )
    expect(first).toMatchObject({
      output: { state: 'cancelled' },
      follow: [{ input: { paymentId: money.paymentId, amountMinor: money.amountMinor, reason: 'sold out' } }],
    })
    expect(second).toMatchObject({ code: 'order_state_conflict', detail: { current: 'cancelled' } })
    expect(isOnce).toBe(true)
  })
  test('takes back a shipment that waits for its money, and none that was handed over', async () => {
    const waiting = await desk.authorized()
    await shipOf(waiting.orderId)
    const taken = await desk.carry(desk.handlers['orders.reject'], rejecting(waiting.orderId))
    expect(taken).toMatchObject({
      output: { state: 'cancelled' },
      follow: [{ command: { name: 'payments.void' } }],
    })
    const { orderId } = await desk.paid()
    await shipOf(orderId)
    expect(await desk.carry(desk.handlers['orders.reject'], rejecting(orderId))).toMatchObject({
      code: 'order_state_conflict',
      detail: { current: 'fulfilling' },
    })
    const unpaid = await desk.placed()
    expect(await desk.carry(desk.handlers['orders.reject'], rejecting(unpaid))).toMatchObject({
      detail: { allowed: ['paid', 'fulfilling'] },
    })
  })
})

test('an order whose money went back, or is disputed, is neither shipped nor accepted', async () => {
  const gone = async (orderId: string) => {
    for (const outcome of [
      await shipOf(orderId),
      await desk.carry(desk.handlers['orders.accept'], jobOf<typeof accept>({ orderId })),
    ])
      if (outcome.kind !== 'rejected' || outcome.code !== 'wrong_fulfilment') return outcome
    throw new Error('neither a parcel nor for a kitchen')
  }
  const kitchen = await desk.placed()
  await desk.toKitchen(kitchen)
  const money = await desk.moneyOf(kitchen)
  await desk.carry(desk.handlers['orders.confirm-payment'], jobOf<typeof confirmPayment>(money))
  for (const { orderId, paymentId, amountMinor } of [await desk.paid(), money]) {
    const back = { orderId, paymentId, amountMinor, currency: 'EUR', refundId: uuidv7() }
    const disputed = (is: boolean) =>
      desk.owner`update orders.orders set disputed = ${is} where id = ${orderId}`
    await disputed(true)
    expect(await gone(orderId)).toMatchObject({ code: 'money_gone', detail: { paymentStatus: 'disputed' } })
    await disputed(false)
    await desk.carry(
      desk.handlers['orders.record-refund'],
      jobOf<typeof recordRefund>({ ...back, refundedMinor: amountMinor, change: 1 }),
    )
    expect(await gone(orderId)).toMatchObject({ code: 'money_gone', detail: { paymentStatus: 'refunded' } })
    expect(await desk.rowOf(orderId)).toMatchObject({ state: 'paid', handedOver: false })
    const rejected = await desk.carry(
      desk.handlers['orders.reject'],
      jobOf<typeof reject>({ orderId, reason: 'given back' }),
    )
    expect(rejected).toMatchObject({ output: { state: 'cancelled' }, follow: [] })
  }
})

describe('orders.record-delivery', () => {
  test('completes the order with its last parcel, once', async () => {
    const { orderId } = await desk.paid()
    const [one, two] = [shipping(orderId, [{ sku: 'TEA', quantity: 2 }]), shipping(orderId)]
    await desk.carry(desk.handlers['orders.ship'], one)
    expect(await deliver(orderId, one.id)).toMatchObject({ output: { state: 'fulfilling' }, emit: [] })
    await desk.carry(desk.handlers['orders.ship'], two)
    const { first, second, isOnce } = await desk.twice(
      desk.handlers['orders.record-delivery'],
      arrival(orderId, two.id),
    )
    expect(first).toMatchObject({
      output: { state: 'completed' },
      emit: [{ event: { name: 'order.completed' } }],
    })
    expect(second).toMatchObject({ output: { state: 'completed' }, emit: [] })
    expect(isOnce).toBe(true)
  })
  test('orders.record-shipment-return: a parcel that came back is a case, once, and ends the fulfilment', async () => {
    const { orderId } = await desk.paid()
    const job = shipping(orderId)
    await desk.carry(desk.handlers['orders.ship'], job)
    const back = jobOf<typeof recordShipmentReturn>(arrival(orderId, job.id).input)
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.record-shipment-return'], back)
    expect(first).toMatchObject({ output: { state: 'completed' } })
    expect(second).toMatchObject({ emit: [] })
    expect(isOnce).toBe(true)
    const [found] = await desk.owner`select kind, cause from orders.cases where order_id = ${orderId}`
    expect({ ...found }).toEqual({ kind: 'shipment_returned', cause: job.id })
  })
  test('orders.record-shipment-return: one that came back after it had arrived is a case, too', async () => {
    const { orderId } = await desk.paid()
    const job = shipping(orderId)
    await desk.carry(desk.handlers['orders.ship'], job)
    await deliver(orderId, job.id)
    const back = jobOf<typeof recordShipmentReturn>(arrival(orderId, job.id).input)
    expect((await desk.twice(desk.handlers['orders.record-shipment-return'], back)).isOnce).toBe(true)
    const [found] = await desk.owner`select kind, cause from orders.cases where order_id = ${orderId}`
    expect({ ...found }).toEqual({ kind: 'shipment_returned', cause: job.id })
  })
  test('orders.record-shipment-loss: a parcel that nobody finds is a case, once, and may arrive all the same', async () => {
    const { orderId } = await desk.paid()
    const job = shipping(orderId)
    await desk.carry(desk.handlers['orders.ship'], job)
    const { lines: _, ...parcel } = arrival(orderId, job.id).input
    const loss = jobOf<typeof recordShipmentLoss>({ ...parcel, status: 'lost' })
    const { first, isOnce } = await desk.twice(desk.handlers['orders.record-shipment-loss'], loss)
    expect(first).toMatchObject({ output: { state: 'fulfilling' } })
    expect(isOnce).toBe(true)
    await desk.carry(
      desk.handlers['orders.record-shipment-loss'],
      jobOf<typeof recordShipmentLoss>({ ...parcel, status: 'expired' }),
    )
    expect([
      ...(await desk.owner`select kind, cause, detail from orders.cases where order_id = ${orderId}`),
    ]).toEqual([{ kind: 'shipment_lost', cause: job.id, detail: { status: 'lost' } }])
    expect(await deliver(orderId, job.id)).toMatchObject({ output: { state: 'completed' } })
  })
  test('cancel after shipping is refused', async () => {
    const { orderId } = await desk.paid()
    await shipOf(orderId)
    expect(await cancelOf(orderId)).toMatchObject({
      code: 'order_state_conflict',
      detail: { current: 'fulfilling', allowed: ['pending_payment', 'payment_failed', 'paid'] },
    })
  })
})
