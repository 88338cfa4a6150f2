import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Actor } from '../../queues/access.ts'
import { setPrice } from '../../queues/catalog.ts'
import { createEnqueuer } from '../../queues/enqueue.ts'
import { createAcceptor } from '../../queues/journal.ts'
import type { Order } from '../../queues/order-views.ts'
import { cancel, pay, place } from '../../queues/orders.ts'
import type { Payment } from '../../queues/payments.ts'
import { startTrace } from '../../queues/trace.ts'
import { type TestKernel, testLog } from '../../test/harness.ts'
import { addProduct, broken, buy, gatedProvider, somebody, tradeKernel } from '../../test/trade.ts'

let kernel: TestKernel
const provider = gatedProvider()

beforeAll(async () => {
  kernel = await tradeKernel({ wrap: provider.wrap, timeoutMs: 10_000 })
})
afterAll(() => kernel.stop())

const read = async <T>(service: string, path: string, actor: Actor): Promise<T> => {
  const request = new Request(`http://${service}.test${path}`, { headers: { 'x-waybill-actor': actor.id } })
  return (await kernel.services.routesOf(service).handle(request)).json() as Promise<T>
}
const orderOf = (id: string, actor: Actor) => read<Order>('orders', `/orders/${id}`, actor)
const paymentsOf = async (orderId: string, actor: Actor) =>
  (await read<{ items: Payment[] }>('payments', `/payments?orderId=${orderId}`, actor)).items
const stockOf = async (sku: string) => {
  const [row] = await kernel.sql<{ on_hand: number; reserved: number }[]>`
    select on_hand, reserved from catalog.stock where sku = ${sku}`
  return { onHand: row?.on_hand, reserved: row?.reserved }
}
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(10)
}
const stateOf = async (id: string) => {
  const [row] = await kernel.sql<{ state: string }[]>`select state from journal.commands where id = ${id}`
  return row?.state
}
const newPlacing = (sku: string, actor: Actor) => ({
  command: place,
  input: { lines: [{ sku, quantity: 1 }], paymentMethod: 'pm_card_ok' },
  actor,
  idempotency: null,
  traceparent: startTrace(),
})
const steps = ({ history }: Order) => history.map(({ from, to, cause }) => [from, to, cause])
const eventsOf = async (command: string) => (await kernel.story(command)).events.map(event => event.type)
const untaxed = { title: 'Green tea', discountMinor: 0, taxMinor: 0, taxRatePpm: 0 }
const placed = [null, 'pending_payment', 'orders.place']

describe('orders.place', () => {
  test('an order is placed, charged and paid; its pieces are sold; the whole story is told', async () => {
    const tea = await addProduct(kernel, { priceMinor: 350 })
    const cup = await addProduct(kernel, { priceMinor: 1_200 })
    const actor = somebody()
    const lines = [
      { sku: tea.sku, quantity: 2 },
      { sku: cup.sku, quantity: 1 },
      { sku: tea.sku, quantity: 1 },
    ]
    const { id, result } = await buy(kernel, lines, { actor })
    expect(result).toEqual({ orderId: id, state: 'pending_payment', totalMinor: 2_250, currency: 'EUR' })
    await kernel.idle()

    const order = await orderOf(id, actor)
    expect(order).toMatchObject({
      state: 'paid',
      paymentStatus: 'captured',
      totalMinor: 2_250,
      currency: 'EUR',
    })
    expect(order.lines).toEqual([
      { ...untaxed, sku: tea.sku, quantity: 3, unitPriceMinor: 350, totalMinor: 1_050 },
      { ...untaxed, sku: cup.sku, quantity: 1, unitPriceMinor: 1_200, totalMinor: 1_200 },
    ])
    expect(steps(order)).toEqual([placed, ['pending_payment', 'paid', 'orders.confirm-payment']])
    expect(Date.parse(order.expiresAt) - Date.parse(order.placedAt)).toBe(15 * 60_000)
    expect(await paymentsOf(id, actor)).toMatchObject([{ status: 'captured', amountMinor: 2_250 }])
    expect(await stockOf(tea.sku)).toEqual({ onHand: 100, reserved: 3 })
    expect(await eventsOf(id)).toEqual(['order.placed', 'payment.captured', 'order.paid'])
  })

  test('a later price leaves the order as it was', async () => {
    const { id: productId, sku } = await addProduct(kernel, { priceMinor: 350 })
    const actor = somebody()
    const { id } = await buy(kernel, [{ sku, quantity: 1 }], { actor })
    await kernel.run(setPrice, { productId, priceMinor: 999, currency: 'USD' })
    expect(await orderOf(id, actor)).toMatchObject({ totalMinor: 350, lines: [{ unitPriceMinor: 350 }] })
  })

  test('an order of nothing but gifts is paid without the provider', async () => {
    const { sku } = await addProduct(kernel, { priceMinor: 0 })
    const actor = somebody()
    const { id } = await buy(kernel, [{ sku, quantity: 1 }], { actor, card: 'pm_card_declined' })
    await kernel.idle()
    expect(await orderOf(id, actor)).toMatchObject({ state: 'paid', paymentStatus: 'none', totalMinor: 0 })
    await kernel.run(cancel, { orderId: id }, { actor })
    await kernel.idle()
    expect(await orderOf(id, actor)).toMatchObject({ state: 'cancelled', paymentStatus: 'none' })
  })

  test('64 buyers for 10 pieces: exactly 10 orders, all paid', async () => {
    const { sku } = await addProduct(kernel, { onHand: 10 })
    const all = await Promise.all(Array.from({ length: 64 }, () => buy(kernel, [{ sku, quantity: 1 }])))
    await kernel.idle()
    expect(all.filter(each => each.state === 'succeeded')).toHaveLength(10)
    const codes = all
      .filter(each => each.state === 'rejected')
      .map(each => (each.result as { code: string }).code)
    expect(codes).toEqual(Array(54).fill('out_of_stock'))
    expect(await stockOf(sku)).toEqual({ onHand: 10, reserved: 10 })
  })

  describe('a refused order leaves nothing behind', () => {
    const refused = async (lines: { sku: string; quantity: number }[]) => {
      const { id, state, result } = await buy(kernel, lines)
      expect(state).toBe('rejected')
      const [rows] = await kernel.sql`
        select (select count(*) from orders.orders where id = ${id}) + (select count(*) from orders.lines where order_id = ${id})
          + (select count(*) from catalog.reservations where order_id = ${id}) as n`
      expect(rows?.n).toBe(0)
      expect(await eventsOf(id)).toEqual([])
      return result
    }
    test('out_of_stock: with the shortage of each line, same products counted together', async () => {
      const few = await addProduct(kernel, { onHand: 3 })
      const many = await addProduct(kernel)
      const lines = [
        { sku: many.sku, quantity: 1 },
        { sku: few.sku, quantity: 2 },
        { sku: few.sku, quantity: 2 },
      ]
      const shortages = [{ sku: few.sku, requested: 4, available: 3 }]
      expect(await refused(lines)).toEqual({ code: 'out_of_stock', detail: { shortages } })
      expect(await stockOf(many.sku)).toEqual({ onHand: 100, reserved: 0 })
    })
    test('unknown_product: with every such SKU', async () => {
      const { sku } = await addProduct(kernel)
      const lines = ['NONE-1', sku, 'NONE-2'].map(each => ({ sku: each, quantity: 1 }))
      expect(await refused(lines)).toEqual({
        code: 'unknown_product',
        detail: { skus: ['NONE-1', 'NONE-2'] },
      })
    })
    test('mixed_currencies: with the currencies', async () => {
      const products = [await addProduct(kernel), await addProduct(kernel, { currency: 'USD' })]
      const lines = products.map(({ sku }) => ({ sku, quantity: 1 }))
      expect(await refused(lines)).toEqual({
        code: 'mixed_currencies',
        detail: { currencies: ['EUR', 'USD'] },
      })
    })
    test('total_too_large: rather than a rounded amount', async () => {
      const { sku } = await addProduct(kernel, { priceMinor: Number.MAX_SAFE_INTEGER })
      expect(await refused([{ sku, quantity: 2 }])).toEqual({ code: 'total_too_large', detail: null })
      expect(await stockOf(sku)).toEqual({ onHand: 100, reserved: 0 })
    })
  })
})

describe('orders.pay, after orders.fail-payment', () => {
  test('a declined order keeps its pieces, and another card pays it', async () => {
    const { sku } = await addProduct(kernel)
    const actor = somebody()
    const { id } = await buy(kernel, [{ sku, quantity: 2 }], { actor, card: 'pm_card_declined' })
    await kernel.idle()
    expect(await orderOf(id, actor)).toMatchObject({ state: 'payment_failed', paymentStatus: 'none' })
    expect(await stockOf(sku)).toEqual({ onHand: 100, reserved: 2 })
    expect(await eventsOf(id)).toEqual(['order.placed', 'payment.declined', 'order.payment-failed'])

    const again = await kernel.run(pay, { orderId: id, paymentMethod: 'pm_card_ok' }, { actor })
    expect(again.result).toEqual({ orderId: id, state: 'pending_payment' })
    await kernel.idle()
    const order = await orderOf(id, actor)
    expect(order).toMatchObject({ state: 'paid', paymentStatus: 'captured' })
    expect(steps(order)).toEqual([
      placed,
      ['pending_payment', 'payment_failed', 'orders.fail-payment'],
      ['payment_failed', 'pending_payment', 'orders.pay'],
      ['pending_payment', 'paid', 'orders.confirm-payment'],
    ])
    expect(await paymentsOf(id, actor)).toMatchObject([
      { status: 'captured', declineCode: null },
      { status: 'declined', declineCode: 'card_declined' },
    ])
    expect(await stockOf(sku)).toEqual({ onHand: 100, reserved: 2 })
  })

  test('ten tries at once are one charge', async () => {
    const { sku } = await addProduct(kernel)
    const actor = somebody()
    const { id } = await buy(kernel, [{ sku, quantity: 1 }], { actor, card: 'pm_card_declined' })
    await kernel.idle()
    const tries = Array.from({ length: 10 }, () =>
      kernel.run(pay, { orderId: id, paymentMethod: 'pm_card_ok' }, { actor }),
    )
    const all = await Promise.all(tries)
    await kernel.idle()
    expect(all.filter(each => each.state === 'succeeded')).toHaveLength(1)
    expect(await paymentsOf(id, actor)).toHaveLength(2)
  })

  test('an order that is paid, or is somebody else’s, is refused', async () => {
    const { sku } = await addProduct(kernel)
    const actor = somebody()
    const { id } = await buy(kernel, [{ sku, quantity: 1 }], { actor })
    await kernel.idle()
    const input = { orderId: id, paymentMethod: 'pm_card_ok' }
    const conflict = { current: 'paid', allowed: ['payment_failed'] }
    expect((await kernel.run(pay, input, { actor })).result).toEqual({
      code: 'order_state_conflict',
      detail: conflict,
    })
    expect((await kernel.run(pay, input)).result).toEqual({ code: 'order_not_found', detail: null })
  })
})

describe('orders.cancel', () => {
  const bought = async (card: string) => {
    const { sku } = await addProduct(kernel)
    const actor = somebody()
    const { id } = await buy(kernel, [{ sku, quantity: 2 }], { actor, card })
    return { id, sku, actor }
  }

  test('a paid order gives its pieces back, and its money goes back', async () => {
    const { id, sku, actor } = await bought('pm_card_ok')
    await kernel.idle()
    const { id: cancelId, result } = await kernel.run(cancel, { orderId: id, reason: 'too late' }, { actor })
    expect(result).toEqual({ orderId: id, state: 'cancelled' })
    await kernel.idle()
    expect(await orderOf(id, actor)).toMatchObject({ state: 'cancelled', paymentStatus: 'refunded' })
    expect(await paymentsOf(id, actor)).toMatchObject([{ status: 'refunded', refundedMinor: 700 }])
    expect(await stockOf(sku)).toEqual({ onHand: 100, reserved: 0 })
    expect(await eventsOf(cancelId)).toEqual(['order.cancelled', 'payment.refunded'])
  })

  test('an unpaid order gives its pieces back, and no money moves', async () => {
    const { id, sku, actor } = await bought('pm_card_declined')
    await kernel.idle()
    await kernel.run(cancel, { orderId: id }, { actor })
    await kernel.idle()
    expect(await orderOf(id, actor)).toMatchObject({ state: 'cancelled', paymentStatus: 'none' })
    expect(await stockOf(sku)).toEqual({ onHand: 100, reserved: 0 })
    expect(
      await kernel.sql`select from payments.refunds r join payments.payments p on p.id = r.payment_id
      where p.order_id = ${id}`,
    ).toHaveLength(0)
  })

  test('money that comes after the cancellation goes back, and the order stays cancelled', async () => {
    const { card, open } = provider.hold()
    const { id, sku, actor } = await bought(card)
    expect((await kernel.run(cancel, { orderId: id }, { actor })).state).toBe('succeeded')
    expect(await stockOf(sku)).toEqual({ onHand: 100, reserved: 0 })
    open()
    await kernel.idle()
    const order = await orderOf(id, actor)
    expect(order).toMatchObject({ state: 'cancelled', paymentStatus: 'refunded' })
    expect(steps(order)).toEqual([placed, ['pending_payment', 'cancelled', 'orders.cancel']])
    expect(await paymentsOf(id, actor)).toMatchObject([{ status: 'refunded', refundedMinor: 700 }])
    expect(await stockOf(sku)).toEqual({ onHand: 100, reserved: 0 })
  })

  test('twenty at once are one cancellation and one refund', async () => {
    const { id, actor } = await bought('pm_card_ok')
    await kernel.idle()
    const all = await Promise.all(
      Array.from({ length: 20 }, () => kernel.run(cancel, { orderId: id }, { actor })),
    )
    await kernel.idle()
    expect(all.filter(each => each.state === 'succeeded')).toHaveLength(1)
    const conflict = { current: 'cancelled', allowed: ['pending_payment', 'payment_failed', 'paid'] }
    expect(all.find(each => each.state === 'rejected')?.result).toEqual({
      code: 'order_state_conflict',
      detail: conflict,
    })
    expect(await paymentsOf(id, actor)).toMatchObject([{ status: 'refunded', refundedMinor: 700 }])
  })

  test('before the order is placed it waits for that, and then cancels it', async () => {
    const { sku } = await addProduct(kernel)
    const actor = somebody()
    const placing = { ...newPlacing(sku, actor), id: uuidv7() }
    await createAcceptor(kernel.sql)(placing) // accepted, and the queue is not told yet
    const cancelId = await kernel.send(cancel, { orderId: placing.id }, { actor })
    await until(async () => (await stateOf(cancelId)) === 'waiting')
    expect((await kernel.run(cancel, { orderId: placing.id })).state).toBe('rejected') // somebody else's
    expect((await kernel.run(cancel, { orderId: cancelId }, { actor })).state).toBe('rejected')

    const enqueuer = createEnqueuer(kernel.redis, testLog)
    await until(enqueuer.ping)
    await enqueuer.addNow([{ id: placing.id, type: place.name, delayMs: 0 }])
    await enqueuer.close()
    await until(async () => (await stateOf(cancelId)) === 'succeeded')
    await kernel.idle()
    expect((await orderOf(placing.id, actor)).state).toBe('cancelled')
    expect(await stockOf(sku)).toEqual({ onHand: 100, reserved: 0 })
    const payments = await paymentsOf(placing.id, actor)
    expect(payments.map(({ status }) => status)).toEqual(payments.map(() => 'refunded'))
  })

  test('an order that was refused does not exist either', async () => {
    const { sku } = await addProduct(kernel, { onHand: 1 })
    const actor = somebody()
    const { id, state } = await buy(kernel, [{ sku, quantity: 2 }], { actor })
    expect(state).toBe('rejected')
    expect((await kernel.run(cancel, { orderId: id }, { actor })).result).toEqual({
      code: 'order_not_found',
      detail: null,
    })
  })

  test('somebody else’s order does not exist', async () => {
    const { id } = await bought('pm_card_ok')
    const notFound = { code: 'order_not_found', detail: null }
    expect((await kernel.run(cancel, { orderId: id })).result).toEqual(notFound)
    expect((await kernel.run(cancel, { orderId: uuidv7() })).result).toEqual(notFound)
    await kernel.idle()
  })
})

test('afterwards no invariant is broken', async () => {
  await kernel.idle()
  expect(await broken(kernel.sql)).toEqual([])
})
