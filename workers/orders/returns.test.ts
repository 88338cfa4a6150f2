import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type {
  declineReturn,
  receiveReturn,
  recordDelivery,
  requestReturn,
  ship,
} from '../../queues/order-fulfilment.ts'
import { jobOf, somebody } from '../../test/trade.ts'
import { refundOf } from './fulfilling.ts'
import { type OrderDesk, orderDesk } from './lifecycle.fixture.ts'

let desk: OrderDesk
beforeAll(async () => {
  desk = await orderDesk()
})
afterAll(() => desk.database.drop())

const dayMs = 24 * 3_600_000
const aCompleted = async (quantity = 3) => {
  const money = await desk.paid(quantity)
  const { orderId } = money
  const job = jobOf<typeof ship>({ orderId })
  await desk.carry(desk.handlers['orders.ship'], job)
  await desk.carry(
    desk.handlers['orders.record-delivery'],
    jobOf<typeof recordDelivery>({
      orderId,
      shipmentId: job.id,
      customerId: desk.actor.id,
      lines: [{ sku: 'TEA', quantity }],
    }),
  )
  return money
}
const asking = (orderId: string, lines: { sku: string; quantity: number }[], given = {}) =>
  jobOf<typeof requestReturn>({ orderId, lines, reason: 'too bitter' }, { actor: desk.actor, ...given })
const ask = (orderId: string, lines: { sku: string; quantity: number }[], given = {}) =>
  desk.carry(desk.handlers['orders.request-return'], asking(orderId, lines, given))
const receiving = (orderId: string, lines: { sku: string; restock: boolean }[]) =>
  jobOf<typeof receiveReturn>({ orderId, lines })
const receive = (orderId: string, lines: { sku: string; restock: boolean }[]) =>
  desk.carry(desk.handlers['orders.receive-return'], receiving(orderId, lines))
const handOf = async (sku: string) => {
  const [row] = await desk.owner<
    { n: number }[]
  >`select on_hand - reserved as n from catalog.stock where sku = ${sku}`
  return row?.n ?? 0
}

describe('orders.request-return', () => {
  test('asks once, however often', async () => {
    const { orderId } = await aCompleted()
    const job = asking(orderId, [{ sku: 'TEA', quantity: 2 }])
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.request-return'], job)
    expect(first).toMatchObject({ output: { returnId: job.id, state: 'return_requested' } })
    expect(second).toMatchObject({ output: { returnId: job.id, state: 'return_requested' } })
    expect(isOnce).toBe(true)
    expect(await ask(orderId, [{ sku: 'TEA', quantity: 1 }])).toMatchObject({ code: 'order_state_conflict' })
  })
  test('is refused too late, for more than was sent, for what is not completed, and for others', async () => {
    const { orderId } = await aCompleted()
    const tea = [{ sku: 'TEA', quantity: 1 }]
    expect(await ask(orderId, tea, { now: new Date(Date.now() + 31 * dayMs) })).toMatchObject({
      code: 'return_window_closed',
    })
    expect(await ask(orderId, [{ sku: 'TEA', quantity: 3 }, ...tea])).toMatchObject({
      code: 'not_returnable',
      detail: { lines: [{ sku: 'TEA', requested: 4, left: 3 }] },
    })
    expect(await ask(orderId, tea, { actor: somebody() })).toMatchObject({ code: 'order_not_found' })
    expect(await ask((await desk.paid()).orderId, tea)).toMatchObject({
      code: 'order_state_conflict',
      detail: { current: 'paid', allowed: ['completed'] },
    })
    expect(await desk.rowOf(orderId)).toMatchObject({ state: 'completed' })
  })
})

describe('orders.receive-return', () => {
  test('gives back the share of the pieces, and restocks those that can be sold again; twice is once', async () => {
    const { orderId, paymentId } = await aCompleted()
    await ask(orderId, [
      { sku: 'TEA', quantity: 2 },
      { sku: 'CUP', quantity: 1 },
    ])
    const before = { tea: await handOf('TEA'), cup: await handOf('CUP') }
    const job = receiving(orderId, [
      { sku: 'CUP', restock: false },
      { sku: 'TEA', restock: true },
    ])
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.receive-return'], job)
    expect(first).toMatchObject({
      output: { state: 'completed', refundMinor: 3 * 350 },
      follow: [{ command: { name: 'payments.refund' }, input: { paymentId, amountMinor: 3 * 350 } }],
    })
    expect(second.kind).toBe('rejected')
    expect(isOnce).toBe(true)
    expect({ tea: await handOf('TEA'), cup: await handOf('CUP') }).toEqual({
      tea: before.tea + 2,
      cup: before.cup,
    })
  })
  test('of the last pieces gives back all that is left, and the order is returned', async () => {
    const { orderId, amountMinor } = await aCompleted()
    await ask(orderId, [{ sku: 'TEA', quantity: 1 }])
    await receive(orderId, [{ sku: 'TEA', restock: true }])
    await ask(orderId, [
      { sku: 'TEA', quantity: 2 },
      { sku: 'CUP', quantity: 1 },
    ])
    const outcome = await receive(orderId, [
      { sku: 'TEA', restock: true },
      { sku: 'CUP', restock: true },
    ])
    expect(outcome).toMatchObject({
      output: { state: 'returned', refundMinor: amountMinor - 350 },
      emit: [{ event: { name: 'order.returned' } }],
    })
  })
  test('is refused without a return, and for other lines than it has', async () => {
    const { orderId } = await aCompleted()
    expect(await receive(orderId, [{ sku: 'TEA', restock: true }])).toMatchObject({
      code: 'order_state_conflict',
    })
    await ask(orderId, [{ sku: 'TEA', quantity: 1 }])
    for (const skus of [['CUP'], ['TEA', 'CUP'], ['TEA', 'TEA']])
      expect(
        await receive(
          orderId,
          skus.map(sku => ({ sku, restock: true })),
        ),
      ).toMatchObject({
        code: 'return_mismatch',
        detail: { expected: ['TEA'] },
      })
  })
  test('orders.decline-return: the order is completed as before, and may be asked to be returned again; twice is once', async () => {
    const { orderId } = await aCompleted()
    await ask(orderId, [{ sku: 'TEA', quantity: 3 }])
    const job = jobOf<typeof declineReturn>({ orderId, reason: 'opened' })
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.decline-return'], job)
    expect(first).toMatchObject({ output: { state: 'completed' }, follow: [] })
    expect(second.kind).toBe('rejected')
    expect(isOnce).toBe(true)
    expect(await ask(orderId, [{ sku: 'TEA', quantity: 3 }])).toMatchObject({ kind: 'done' })
  })
})

test('whatever comes back in whatever parts, exactly what was paid goes back, and never more on the way', () => {
  const line = fc.record({ paidMinor: fc.nat(1_000_000), ordered: fc.integer({ min: 1, max: 9 }) })
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 4 }),
      fc.nat(5_000),
      fc.infiniteStream(fc.nat(9)),
      (lines, shippingMinor, chance) => {
        const totalMinor = shippingMinor + lines.reduce((sum, each) => sum + each.paidMinor, 0)
        const before = lines.map(() => 0)
        let refundedMinor = 0
        for (let isLast = false; !isLast; ) {
          const parts = lines.map(
            ({ ordered }, at) => Number(chance.next().value) % (ordered - (before[at] ?? 0) + 1),
          )
          const returned = lines.map((each, at) => ({
            ...each,
            sku: String(at),
            before: before[at] ?? 0,
            quantity: parts[at] ?? 0,
          }))
          parts.forEach((part, at) => {
            before[at] = (before[at] ?? 0) + part
          })
          isLast = lines.every(({ ordered }, at) => before[at] === ordered)
          const part = refundOf(returned, { isLast, totalMinor, refundedMinor })
          expect(part).toBeGreaterThanOrEqual(0)
          refundedMinor += part
          if (!isLast) expect(refundedMinor).toBeLessThanOrEqual(totalMinor - shippingMinor)
        }
        expect(refundedMinor).toBe(totalMinor)
      },
    ),
  )
})
