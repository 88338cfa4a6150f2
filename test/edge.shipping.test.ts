import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { openTicket } from '../queues/kitchen.ts'
import { setTableRates } from '../queues/rates.ts'
import { createShipment, trackShipment } from '../queues/shipments.ts'
import { signatureOf } from '../workers/shipping/carriers/signature.ts'
import { address, openShipping, type ShippingWorld, secret } from '../workers/shipping/service.fixture.ts'
import { customer, merchant, type Person, type TestEdge, testEdge } from './edge-harness.ts'

let world: ShippingWorld
let edge: TestEdge
let hooks: ReturnType<typeof Bun.serve>
beforeAll(async () => {
  // The carrier knows one address, which is there before the edge is.
  hooks = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: request =>
      edge.edge.fetch(new Request(`http://edge.test/v1/webhooks/shipping/simulator`, request)),
  })
  world = await openShipping({ webhookUrl: `http://127.0.0.1:${hooks.port}` })
  edge = await testEdge({
    database: world.kernel.database,
    upstreams: { shipping: world.kernel.services.routesOf('shipping') },
  })
})
afterAll(async () => {
  await edge.stop()
  await world.stop()
  await hooks.stop(true)
})

const get = async (path: string, person: Person) =>
  edge.ask('GET', path, { token: await edge.tokenFor(person) })

async function parcel() {
  const buyer = customer()
  const order = {
    shipmentId: uuidv7(),
    orderId: uuidv7(),
    storeId: uuidv7(),
    customerId: buyer.id,
    lines: [{ sku: 'TEA', quantity: 2 }],
    destination: address(),
    rate: { rateId: uuidv7(), carrier: 'simulator', service: 'Economy' },
  }
  await world.kernel.run(createShipment, order)
  const [row] = await world.sql`select tracking_number from shipping.shipments where id = ${order.shipmentId}`
  return { ...order, buyer, trackingNumber: String(row?.tracking_number) }
}
const move = (trackingNumber: string, codes: readonly string[], webhooks: string) =>
  world.control(`parcels/${trackingNumber}`, {
    webhooks,
    events: codes.map((code, hour) => ({ code, at: new Date(Date.UTC(2027, 0, 2, hour)).toISOString() })),
  })
/** What was told of a parcel, and how often. */
const toldOf = async (shipmentId: string) =>
  Object.fromEntries(
    (
      await edge.sql<{ type: string; times: number }[]>`
        select type, count(*) as times from journal.events
        where payload ->> 'shipmentId' = ${shipmentId} group by type order by type`
    ).map(({ type, times }) => [type, times]),
  )

describe('a parcel', () => {
  test('is its customer’s to see, without the label; for a merchant with it; and for nobody else', async () => {
    const { shipmentId, orderId, buyer, trackingNumber, lines } = await parcel()
    const { status, body } = await get(`/v1/shipments/${shipmentId}`, buyer)
    expect([status, body]).toMatchObject([
      200,
      { id: shipmentId, orderId, status: 'label_created', lines, trackingNumber, label: null },
    ])
    const seen = await get(`/v1/shipments/${shipmentId}`, merchant())
    expect(seen.body.label).toMatchObject({ format: 'zpl' })
    expect((await get(`/v1/shipments/${shipmentId}`, customer())).status).toBe(404)
    const listed = async (person: Person) => (await get(`/v1/orders/${orderId}/shipments`, person)).body.items
    expect(await listed(buyer)).toEqual([body])
    expect(await listed(merchant())).toEqual([seen.body])
    expect(await listed(customer())).toEqual([])
  })
  for (const webhooks of ['once', 'twice', 'reversed', 'late'] as const)
    test(`is delivered by its carrier’s webhooks that come ${webhooks}, and that is told once`, async () => {
      const { shipmentId, trackingNumber } = await parcel()
      await move(trackingNumber, ['TRANSIT', 'COURIER', 'DELIVERED'], webhooks)
      for (let looks = 0; looks < 200; looks++) {
        const [row] = await world.sql`select status from shipping.shipments where id = ${shipmentId}`
        if (row?.status === 'delivered') break
        await Bun.sleep(20)
      }
      await world.kernel.idle()
      expect(await toldOf(shipmentId)).toMatchObject({ 'shipment.created': 1, 'shipment.delivered': 1 })
    })
  test('whose webhooks are lost is delivered once its carrier is asked', async () => {
    const { shipmentId, trackingNumber } = await parcel()
    await move(trackingNumber, ['TRANSIT', 'DELIVERED'], 'none')
    await world.kernel.run(trackShipment, { shipmentId })
    expect(await toldOf(shipmentId)).toMatchObject({ 'shipment.delivered': 1 })
  })
})

describe('a webhook', () => {
  const send = (text: string, signature: string | null, carrier = 'simulator') =>
    edge.ask('POST', `/v1/webhooks/shipping/${carrier}`, {
      body: text,
      headers: signature === null ? {} : { 'simulator-signature': signature },
    })
  const signed = (text: string, at = new Date(), key = secret) =>
    signatureOf(new TextEncoder().encode(text), key, at)
  const event = (trackingNumber = 'SIM-NONE') => JSON.stringify({ id: uuidv7(), trackingNumber })
  const hints = async () => {
    const [row] = await world.sql`select count(*) from shipping.hints`
    return row?.count
  }

  test('that is forged, changed on its way, unsigned or old is refused, and nothing of it is kept', async () => {
    const before = await hints()
    const text = event()
    const hourAgo = new Date(Date.now() - 3_600_000)
    for (const [body, signature] of [
      [text, signed(text, new Date(), 'another secret')],
      [`${text} `, signed(text)],
      [text, null],
      [text, signed(text, hourAgo)],
      [text, 'v1=00'],
    ] as const)
      expect(await send(body, signature)).toMatchObject({ status: 400, body: { code: 'bad_signature' } })
    expect(await hints()).toBe(before)
  })
  test('of a carrier that is not at work here is not found', async () => {
    const text = event()
    expect((await send(text, signed(text), 'pigeon')).status).toBe(404)
  })
  test('that comes twice is kept once, as it came, and asks the carrier once', async () => {
    const { shipmentId, trackingNumber } = await parcel()
    const text = event(trackingNumber)
    for (const _ of [1, 2])
      expect(await send(text, signed(text))).toMatchObject({ status: 200, body: { kept: true } })
    const kept = await world.sql`select raw from shipping.hints where tracking_number = ${trackingNumber}`
    expect(kept.map(({ raw }) => Buffer.from(raw).toString())).toEqual([text])
    const asked = await edge.sql`select from journal.commands
      where type = 'shipping.track-shipment' and input ->> 'shipmentId' = ${shipmentId}
        and correlation_id = ${shipmentId}`
    expect(asked).toHaveLength(1)
  })
  test('of a parcel that nobody knows yet is kept, and asks nobody', async () => {
    const text = event()
    expect((await send(text, signed(text))).status).toBe(200)
  })
  test('that says it was delivered does not make it so: the carrier is asked', async () => {
    const { shipmentId, trackingNumber } = await parcel()
    const text = JSON.stringify({ id: uuidv7(), trackingNumber, code: 'DELIVERED' })
    await send(text, signed(text))
    await world.kernel.idle()
    const [row] = await world.sql`select status from shipping.shipments where id = ${shipmentId}`
    expect(row?.status).toBe('label_created')
  })
})

test('a merchant reads the table of rates that was set; of a store that is not there it is 404', async () => {
  const storeId = uuidv7()
  const path = `/v1/stores/${storeId}/shipping-rates`
  expect((await get(path, merchant())).status).toBe(404)
  await world.kernel.sql`insert into catalog.stores (id, kind, name, capture, created_at)
    values (${storeId}, 'shop', 'A store', 'automatic', now())`
  expect((await get(path, merchant())).body).toEqual({ storeId, services: [] })
  const bands = [{ upToG: 1_000, amountMinor: 490 }]
  const services = [{ name: 'Standard', countries: ['*'], bands, currency: 'EUR', etaDays: 2 }]
  await world.kernel.run(setTableRates, { storeId, services })
  expect((await get(path, merchant())).body).toEqual({ storeId, services })
  expect((await get(path, customer())).status).toBe(403)
})

test('a kitchen sees its tickets, the oldest first, by their state; customers see none', async () => {
  const storeId = uuidv7()
  const open = async () => {
    const order = {
      shipmentId: uuidv7(),
      orderId: uuidv7(),
      storeId,
      customerId: uuidv7(),
      lines: [{ sku: 'SOUP', quantity: 1 }],
    }
    await world.kernel.run(openTicket, { ...order, destination: null, rate: null })
    return order.shipmentId
  }
  const ids = [await open(), await open(), await open()]
  const list = async (query: string) => (await get(`/v1/kitchen/tickets?${query}`, merchant())).body
  const idsOf = (page: Record<string, unknown>) => (page.items as { id: string }[]).map(each => each.id)
  const first = await list(`storeId=${storeId}&state=accepted&limit=2`)
  expect(idsOf(first)).toEqual(ids.slice(0, 2))
  expect(idsOf(await list(`storeId=${storeId}&limit=2&cursor=${first.nextCursor}`))).toEqual(ids.slice(2))
  expect(idsOf(await list(`storeId=${storeId}&state=ready`))).toEqual([])
  expect((await get(`/v1/kitchen/tickets?storeId=${storeId}`, customer())).status).toBe(403)
  expect((await get('/v1/kitchen/tickets', merchant())).body.code).toBe('invalid_parameter')
})
