import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { createShipment } from '../../queues/shipments.ts'
import { carryOut, jobOf } from '../../test/trade.ts'
import { RemoteRefusal } from '../runtime/ask.ts'
import type { Carrier } from './carrier.ts'
import { createSimulated } from './carriers/simulator.ts'
import { address, openShipping, type ShippingWorld, secret } from './service.fixture.ts'
import { startSimulator } from './simulator/server.ts'

let world: ShippingWorld
let carrier: Carrier
beforeAll(async () => {
  world = await openShipping()
  carrier = createSimulated({ url: world.simulator.url, secret })
})
afterAll(() => world.stop())

const { signal } = new AbortController()
const wanted = (postalCode = '10115') => ({
  key: uuidv7(),
  service: 'Economy',
  weightG: 100,
  from: null,
  destination: address({ postalCode }),
})

describe('the simulated carrier', () => {
  test('sells one label under one key, and refuses another under the same', async () => {
    const request = wanted()
    const first = await carrier.buyLabel(request, signal)
    expect(await carrier.buyLabel(request, signal)).toEqual(first)
    expect(await carrier.findLabel(request.key, signal)).toEqual(first)
    expect(await carrier.findLabel(uuidv7(), signal)).toBeNull()
    const other = carrier.buyLabel({ ...request, weightG: 200 }, signal)
    await expect(other).rejects.toBeInstanceOf(RemoteRefusal)
  })
  test('misbehaves as it is told, as often as it is told', async () => {
    await world.control('next', { call: 'rates', behaviour: 'error_before', times: 2 })
    const request = { ...wanted(), currency: 'EUR' }
    for (const _ of [1, 2]) await expect(carrier.rates(request, signal)).rejects.toThrow('503')
    expect(await carrier.rates(request, signal)).toMatchObject({ kind: 'rates' })
  })
  test('says on its front page where things go wrong, and how to make them', async () => {
    const page = await (await fetch(world.simulator.url)).text()
    for (const each of ['SIM-SILENT', 'SIM-LOST', '/control/next', 'silent_after', 'NOBODY_HOME', 'reversed'])
      expect(page).toContain(each)
  })
  test('moves parcels by itself if it is to, and loses those to SIM-LOST', async () => {
    const moving = startSimulator({ port: 0, secret, stepMs: 5 })
    const there = createSimulated({ url: moving.url, secret })
    const endOf = async (postalCode: string) => {
      const answer = await there.buyLabel(wanted(postalCode), signal)
      const number = answer.kind === 'bought' ? String(answer.label.trackingNumber) : ''
      for (;;) {
        const last = (await there.track(number, signal))?.at(-1)?.status
        if (last === 'delivered' || last === 'lost') return last
        await Bun.sleep(5)
      }
    }
    expect([await endOf('10115'), await endOf('SIM-LOST')]).toEqual(['delivered', 'lost'])
    await moving.stop()
  })
})

const order = () => ({
  shipmentId: uuidv7(),
  orderId: uuidv7(),
  storeId: uuidv7(),
  customerId: uuidv7(),
  lines: [{ sku: 'TEA', quantity: 1 }],
  rate: { rateId: uuidv7(), carrier: 'simulator', service: 'Economy' },
})
const create = async (job: ReturnType<typeof jobOf<typeof createShipment>>) =>
  carryOut(world.sql, await world.at()['shipping.create-shipment'](job))

test('a webhook that is faster than the answer with the label is not lost: the carrier is asked', async () => {
  const job = jobOf<typeof createShipment>({
    ...order(),
    destination: address({ postalCode: 'SIM-SILENT-AFTER' }),
  })
  expect(await create(job)).toMatchObject({ kind: 'later' })
  const { shipmentId } = job.input
  const sold = await carrier.findLabel(`shipment:${shipmentId}`, signal)
  const number = sold?.kind === 'bought' ? sold.label.trackingNumber : null
  await world.sql`insert into shipping.hints (carrier, event_id, tracking_number, raw)
    values ('simulator', ${uuidv7()}, ${number}, '')`
  expect(await create(job)).toMatchObject({
    kind: 'done',
    follow: [{ command: { name: 'shipping.track-shipment' }, input: { shipmentId } }],
  })
})

for (const behaviour of ['silent_after', 'error_before'])
  test(`shipping.cancel-shipment: a carrier that is ${behaviour} is asked again, and the label goes back once`, async () => {
    const job = jobOf<typeof createShipment>({ ...order(), destination: address() })
    await create(job)
    const { shipmentId } = job.input
    await world.control('next', { call: 'cancel', behaviour })
    const cancel = async () =>
      carryOut(world.sql, await world.at()['shipping.cancel-shipment'](jobOf({ shipmentId })))
    await expect(cancel()).rejects.toThrow('did not answer')
    expect(await cancel()).toMatchObject({ kind: 'done', output: { status: 'cancelled' } })
    expect(await cancel()).toMatchObject({ kind: 'done', emit: [] })
  })
