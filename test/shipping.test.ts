import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { checkInvariants } from '../db/invariants.ts'
import type { InputOf, OutputOf } from '../queues/command.ts'
import { advanceTicket } from '../queues/kitchen.ts'
import { accept, ship } from '../queues/order-fulfilment.ts'
import { place } from '../queues/orders.ts'
import { findRates, setTableRates } from '../queues/rates.ts'
import { recordTracking, trackShipment } from '../queues/shipments.ts'
import { catalogService } from '../workers/catalog/index.ts'
import { ordersService } from '../workers/orders/index.ts'
import { paymentsService } from '../workers/payments/index.ts'
import { shippingService } from '../workers/shipping/index.ts'
import { address, openShipping, type ShippingWorld } from '../workers/shipping/service.fixture.ts'
import { addProduct, somebody } from './trade.ts'

let world: ShippingWorld
beforeAll(async () => {
  world = await openShipping({
    services: [catalogService, ordersService, paymentsService, shippingService],
  })
})
afterAll(() => world.stop())

const actor = somebody()
/** A product of a store of its own, which sends it by hand for 4.90. */
async function onSale(kind: 'shop' | 'restaurant' = 'shop') {
  const { kernel } = world
  const storeId = uuidv7()
  await kernel.sql`
    insert into catalog.stores (id, kind, name, capture, accept_within_ms, address, created_at)
    values (${storeId}, ${kind}, 'A store', 'automatic', ${kind === 'restaurant' ? 600_000 : null},
      '{"country": "DE"}', now())`
  const { sku } = await addProduct(kernel, { priceMinor: 2_500 })
  await kernel.sql`update catalog.products set store_id = ${storeId}, weight_g = 400 where sku = ${sku}`
  const service = {
    name: 'Standard',
    countries: ['DE'],
    bands: [{ upToG: 2_000, amountMinor: 490 }],
    currency: 'EUR',
    etaDays: 2,
  }
  await kernel.run(setTableRates, { storeId, services: [service] })
  return { storeId, sku, lines: [{ sku, quantity: 2 }] }
}
async function rateFor(lines: InputOf<typeof findRates>['lines'], carrier: string) {
  const { result } = await world.kernel.run(findRates, { lines, destination: address() }, { actor })
  const rate = (result as OutputOf<typeof findRates>).rates.find(each => each.carrier === carrier)
  if (!rate) throw new Error(`${carrier} offers nothing`)
  return rate
}
async function buy(lines: InputOf<typeof findRates>['lines'], shippingRateId?: string) {
  const order = await world.kernel.run(
    place,
    { lines, paymentMethod: 'pm_card_ok', ...(shippingRateId !== undefined && { shippingRateId }) },
    { actor },
  )
  await world.kernel.idle()
  return order.result as OutputOf<typeof place>
}
const stateOf = async (orderId: string) => {
  const [row] = await world.kernel.sql`select state from orders.orders where id = ${orderId}`
  return row?.state
}

describe('an order with a rate', () => {
  test('costs what the rate said, is sent in two parcels by its carrier, and completes when both are delivered', async () => {
    const { kernel } = world
    const { lines, sku } = await onSale()
    const rate = await rateFor(lines, 'simulator')
    const { orderId, totalMinor } = await buy(lines, rate.rateId)
    expect(totalMinor).toBe(5_000 + rate.amountMinor)
    const shipments = []
    for (const _ of [1, 2]) {
      const { id } = await kernel.run(ship, { orderId, lines: [{ sku, quantity: 1 }] })
      await kernel.idle()
      shipments.push(id)
    }
    const parcels = await kernel.sql`
      select carrier, service, status, weight_g, destination, tracking_number from shipping.shipments
      where id = any(${shipments})`
    expect(parcels.map(each => ({ ...each }))).toMatchObject([
      { carrier: 'simulator', service: rate.service, weight_g: 400, destination: address() },
      { carrier: 'simulator', status: 'label_created' },
    ])
    for (const [at, { tracking_number }] of parcels.entries()) {
      expect(await stateOf(orderId)).toBe('fulfilling')
      await world.control(`parcels/${tracking_number}`, { events: [{ code: 'DELIVERED' }] })
      await kernel.run(trackShipment, { shipmentId: shipments[at] ?? '' })
      await kernel.idle()
    }
    expect(await stateOf(orderId)).toBe('completed')
  })
  test('that is sent by hand completes when the merchant says that it was delivered', async () => {
    const { kernel } = world
    const { lines } = await onSale()
    const rate = await rateFor(lines, 'manual')
    const { orderId } = await buy(lines, rate.rateId)
    const { id: shipmentId } = await kernel.run(ship, { orderId })
    await kernel.idle()
    const occurredAt = new Date().toISOString()
    await kernel.run(recordTracking, { shipmentId, status: 'delivered', occurredAt, trackingNumber: 'RR1' })
    await kernel.idle()
    expect(await stateOf(orderId)).toBe('completed')
  })
})

test('a meal is accepted, prepared and picked up, and with that its order completes', async () => {
  const { kernel } = world
  const { lines } = await onSale('restaurant')
  const { orderId } = await buy(lines)
  const { id: ticketId, state } = await kernel.run(accept, { orderId })
  expect(state).toBe('succeeded')
  await kernel.idle()
  for (const to of ['preparing', 'ready', 'picked_up'] as const) {
    expect(await stateOf(orderId)).toBe('fulfilling')
    expect((await kernel.run(advanceTicket, { ticketId, to })).state).toBe('succeeded')
    await kernel.idle()
  }
  expect(await stateOf(orderId)).toBe('completed')
})

test('all invariants hold after all that', async () => {
  const findings = await checkInvariants(world.kernel.sql, { since: new Date(0), eachMs: 20_000 })
  expect(findings.filter(each => each.state !== 'holds')).toEqual([])
})
