import { afterAll, beforeAll, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { OutputOf } from '../queues/command.ts'
import { receiveReturn, requestReturn, ship } from '../queues/order-fulfilment.ts'
import { place } from '../queues/orders.ts'
import { findRates, setTableRates } from '../queues/rates.ts'
import { recordTracking } from '../queues/shipments.ts'
import { catalogService } from '../workers/catalog/index.ts'
import { ordersService } from '../workers/orders/index.ts'
import { paymentsService } from '../workers/payments/index.ts'
import { shippingService } from '../workers/shipping/index.ts'
import { address, openShipping, type ShippingWorld } from '../workers/shipping/service.fixture.ts'
import { addProduct, broken, somebody } from './trade.ts'

let world: ShippingWorld
beforeAll(async () => {
  world = await openShipping({ services: [catalogService, ordersService, paymentsService, shippingService] })
})
afterAll(() => world.stop())

const actor = somebody()
const orderOf = async (orderId: string) => {
  const [row] = await world.kernel.sql`
    select state, payment_status as money, refunded_minor as back from orders.orders where id = ${orderId}`
  return { ...row }
}

test('an order with tax and shipping comes back in two parts: each its share to the minor unit, the shipping with the last', async () => {
  const { kernel } = world
  const storeId = uuidv7()
  const taxes = [{ country: 'DE', taxClass: 'standard', ratePpm: 190_000, name: 'VAT' }]
  await kernel.sql`
    insert into catalog.stores (id, kind, name, capture, address, taxes, created_at)
    values (${storeId}, 'shop', 'A store', 'automatic', '{"country": "DE"}', ${kernel.sql.json(taxes)}, now())`
  const { sku } = await addProduct(kernel, { priceMinor: 333 })
  await kernel.sql`update catalog.products set store_id = ${storeId}, weight_g = 400 where sku = ${sku}`
  const bands = [{ upToG: 5_000, amountMinor: 490 }]
  const service = { name: 'Standard', countries: ['DE'], bands, currency: 'EUR', etaDays: 2 }
  await kernel.run(setTableRates, { storeId, services: [service] })
  const lines = [{ sku, quantity: 3 }]
  const found = await kernel.run(findRates, { lines, destination: address() }, { actor })
  const rate = (found.result as OutputOf<typeof findRates>).rates.find(each => each.carrier === 'manual')
  const input = { lines, paymentMethod: 'pm_card_ok', shippingRateId: rate?.rateId ?? '' }
  const { result } = await kernel.run(place, input, { actor })
  const { orderId, totalMinor } = result as OutputOf<typeof place>
  await kernel.idle()
  const { id: shipmentId } = await kernel.run(ship, { orderId })
  await kernel.idle()
  const occurredAt = new Date().toISOString()
  await kernel.run(recordTracking, { shipmentId, status: 'delivered', occurredAt, trackingNumber: 'RR1' })
  await kernel.idle()
  expect(await orderOf(orderId)).toMatchObject({ state: 'completed', money: 'captured' })

  const back = async (quantity: number) => {
    await kernel.run(requestReturn, { orderId, lines: [{ sku, quantity }], reason: 'too small' }, { actor })
    const { result } = await kernel.run(receiveReturn, { orderId, lines: [{ sku, restock: true }] })
    await kernel.idle()
    return (result as OutputOf<typeof receiveReturn>).refundMinor
  }
  const lineMinor = 999 + 190 // three at 3.33, and 19 % of them
  expect(await back(1)).toBe(Math.floor(lineMinor / 3))
  expect(await orderOf(orderId)).toEqual({ state: 'completed', money: 'partially_refunded', back: 396 })
  expect(await back(2)).toBe(totalMinor - 396)
  expect(await orderOf(orderId)).toEqual({ state: 'returned', money: 'refunded', back: totalMinor })
  const [stock] = await kernel.sql`select on_hand, reserved from catalog.stock where sku = ${sku}`
  expect({ ...stock }).toEqual({ on_hand: 100, reserved: 0 })
  expect(await broken(kernel.sql)).toEqual([])
})
