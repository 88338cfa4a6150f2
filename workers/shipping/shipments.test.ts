import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { InputOf } from '../../queues/command.ts'
import type { Outcome } from '../../queues/outcome.ts'
import { type cancelShipment, createShipment, recordTracking, trackShipment } from '../../queues/shipments.ts'
import type { TestKernel } from '../../test/harness.ts'
import { carryOut, jobOf, outputOf } from '../../test/trade.ts'
import {
  dumpShipping,
  labelledAt,
  openShipping,
  type ShippingWorld,
  shipmentRow,
  wanted,
} from './service.fixture.ts'

let world: ShippingWorld
let kernel: TestKernel
let sql: Sql
beforeAll(async () => {
  world = await openShipping()
  ;({ kernel, sql } = world)
})
afterAll(() => world.stop())

const rowOf = (id: string) => shipmentRow(sql, id)
const labelled = (carrier?: string) => labelledAt(world, carrier)
const create = (at = world.at(), job = jobOf<typeof createShipment>(wanted())) =>
  at['shipping.create-shipment'](job).then(returned => carryOut(sql, returned))
const told = (outcome: Outcome) =>
  outcome.kind === 'done' ? outcome.emit.map(({ event, payload }) => [event.name, payload]) : []
/** How many labels the carrier has sold in all. */
const sold = async () => Number((await (await fetch(`${world.simulator.url}/labels`)).json()).sold)

describe('shipping.create-shipment', () => {
  test('buys the label, keeps it as data, and tells', async () => {
    const input = wanted()
    const { result, id } = await kernel.run(createShipment, input)
    expect(result).toEqual({ shipmentId: input.shipmentId, status: 'label_created' })
    const row = await rowOf(input.shipmentId)
    expect(row).toMatchObject({ carrier: 'simulator', service: 'Economy', label_format: 'zpl' })
    expect(Buffer.from(String(row.label_data), 'base64').toString()).toContain(String(row.tracking_number))
    const { events } = await kernel.story(id)
    expect(events.map(({ type, payload }) => [type, payload])).toEqual([
      [
        'shipment.created',
        {
          shipmentId: input.shipmentId,
          orderId: input.orderId,
          customerId: input.customerId,
          lines: input.lines,
        },
      ],
    ])
  })
  test('of an order without a rate it is sent by hand, and nobody is called', async () => {
    const input = { ...wanted(), rate: null, destination: null }
    const outcome = await create(world.at(), jobOf<typeof createShipment>(input))
    expect(told(outcome).map(([name]) => name)).toEqual(['shipment.created'])
    expect(await rowOf(input.shipmentId)).toMatchObject({
      carrier: 'manual',
      status: 'label_created',
      tracking_number: null,
    })
  })
  test('what the carrier refuses to carry is sent by hand, and says why', async () => {
    const input = wanted('SIM-REFUSED')
    const outcome = await create(world.at(), jobOf<typeof createShipment>(input))
    expect(told(outcome).map(([name]) => name)).toEqual(['shipment.created'])
    expect(await rowOf(input.shipmentId)).toMatchObject({
      carrier: 'manual',
      status: 'label_created',
      label_refusal: 'There is no such postal code.',
    })
  })

  for (const [how, postalCode] of [
    ['falls silent before it sold the label', 'SIM-LABEL-SILENT'],
    ['falls silent after it sold the label', 'SIM-SILENT-AFTER'],
    ['fails before it sold the label', 'SIM-LABEL-ERROR'],
    ['fails after it sold the label', 'SIM-ERROR-AFTER'],
  ] as const)
    test(`a carrier that ${how} is asked by our key, and sells one label`, async () => {
      const input = wanted(postalCode)
      const before = await sold()
      const { result, attempts } = await kernel.run(createShipment, input)
      expect(result).toMatchObject({ status: 'label_created' })
      expect(attempts.map(each => each.outcome)).toEqual(['waiting', 'succeeded'])
      expect(await sold()).toBe(before + 1)
    })
  test('pending is what it says while the carrier is silent, and no label is told of', async () => {
    const input = wanted('SIM-SILENT-AFTER')
    const outcome = await create(world.at(), jobOf<typeof createShipment>(input))
    expect(outcome).toMatchObject({ kind: 'later', delayMs: 1 })
    expect(await rowOf(input.shipmentId)).toMatchObject({ status: 'pending', inquiries: 1, bought_at: null })
  })
  test('a worker that dies after the carrier sold the label finds it, and buys none again', async () => {
    const job = jobOf<typeof createShipment>(wanted())
    const before = await sold()
    await world.at()['shipping.create-shipment'](job) // and dies: what it returned is never carried out
    expect(await rowOf(job.input.shipmentId)).toMatchObject({ status: 'pending' })
    expect(outputOf(await create(world.at(), { ...job, run: 2 }))).toMatchObject({ status: 'label_created' })
    expect(await sold()).toBe(before + 1)
  })
  test('twenty workers at once buy one label, and tell of it once', async () => {
    const job = jobOf<typeof createShipment>(wanted())
    const before = await sold()
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => create(world.at(), job)))
    expect(outcomes.map(each => outputOf(each).status)).toEqual(Array(20).fill('label_created'))
    expect(outcomes.flatMap(told).map(([name]) => name)).toEqual(['shipment.created'])
    expect(await sold()).toBe(before + 1)
  })
  test('when the schedule has run out it stops for a person, still pending', async () => {
    const reset = async () => Promise.reject(new Error('connection reset'))
    const silent = world.at(() => ({ buyLabel: reset, findLabel: reset }))
    const job = jobOf<typeof createShipment>(wanted())
    for (let times = 0; times < 3; times++) expect(await create(silent, job)).toMatchObject({ kind: 'later' })
    await expect(create(silent, job)).rejects.toThrow('left 4 calls unanswered')
    expect(await rowOf(job.input.shipmentId)).toMatchObject({ status: 'pending' })
  })
  test('a carrier that the settings do not name is a matter for operators', async () => {
    const job = jobOf<typeof createShipment>(wanted('10115', 'pigeon'))
    await expect(create(world.at(), job)).rejects.toThrow('see the setting CARRIERS')
  })
})

describe('shipping.record-tracking', () => {
  const say = (input: Omit<InputOf<typeof recordTracking>, 'occurredAt'> & { occurredAt?: string }) =>
    kernel.run(recordTracking, { occurredAt: '2026-01-02T10:00:00Z', ...input })

  test('types in the number of a parcel that was sent by hand, until it is delivered', async () => {
    const { shipmentId, orderId, customerId, lines } = await labelled('manual')
    const trackingUrl = 'https://post.example/RR1'
    await say({ shipmentId, status: 'in_transit', trackingNumber: 'RR1', trackingUrl })
    expect(await rowOf(shipmentId)).toMatchObject({
      status: 'in_transit',
      tracking_number: 'RR1',
      tracking_url: trackingUrl,
    })
    const { result, id } = await say({ shipmentId, status: 'delivered', note: 'Left with a neighbour.' })
    expect(result).toEqual({ shipmentId, status: 'delivered' })
    const { events } = await kernel.story(id)
    const shipment = { shipmentId, orderId, customerId }
    expect(events.map(({ type, payload }) => [type, payload]).sort()).toEqual([
      ['shipment.changed', { ...shipment, status: 'delivered' }],
      ['shipment.delivered', { ...shipment, lines }],
    ])
  })
  test('told twice under one event id, it is one event', async () => {
    const { shipmentId } = await labelled('manual')
    const once = { shipmentId, status: 'delivered', eventId: 'mine-1' } as const
    const first = await say(once)
    const second = await say(once)
    expect(second.result).toEqual(first.result)
    expect((await kernel.story(second.id)).events).toEqual([])
    const [row] = await sql`select count(*) from shipping.tracking
      where shipment_id = ${shipmentId} and source = 'merchant'`
    expect(row?.count).toBe(1)
  })
  test('of a parcel that is not there, has no label yet, has a number, or of tomorrow, is refused', async () => {
    const pending = wanted('SIM-SILENT-AFTER')
    await create(world.at(), jobOf<typeof createShipment>(pending))
    const { shipmentId } = await labelled()
    const status = 'in_transit'
    const codeOf = async (input: Parameters<typeof say>[0]) =>
      ((await say(input)).result as { code?: string }).code
    expect(await codeOf({ shipmentId: uuidv7(), status })).toBe('shipment_not_found')
    expect(await codeOf({ shipmentId: pending.shipmentId, status })).toBe('shipment_state_conflict')
    expect(await codeOf({ shipmentId, status, trackingNumber: 'RR1' })).toBe('tracking_given')
    const occurredAt = new Date(Date.now() + 86_400_000).toISOString()
    expect(await codeOf({ shipmentId, status, occurredAt })).toBe('occurred_in_future')
    expect(await rowOf(shipmentId)).toMatchObject({ status: 'label_created' })
  })
})

describe('shipping.cancel-shipment', () => {
  const cancel = (shipmentId: string, at = world.at()) =>
    at['shipping.cancel-shipment'](jobOf<typeof cancelShipment>({ shipmentId })).then(returned =>
      carryOut(sql, returned),
    )
  test('gives the label back, and tells', async () => {
    const { shipmentId } = await labelled()
    expect(told(await cancel(shipmentId))).toMatchObject([['shipment.changed', { status: 'cancelled' }]])
  })
  test('what was to be sent under it can be sent by hand', async () => {
    const { shipmentId } = await labelled()
    await cancel(shipmentId)
    const occurredAt = new Date(Date.now() + 60_000).toISOString()
    const sent = { shipmentId, status: 'in_transit', occurredAt, trackingNumber: 'RR9' } as const
    expect((await kernel.run(recordTracking, sent)).result).toEqual({ shipmentId, status: 'in_transit' })
    expect(await rowOf(shipmentId)).toMatchObject({
      carrier: 'manual',
      tracking_number: 'RR9',
      tracking_url: null,
    })
  })
  test('of a parcel that the carrier has is refused', async () => {
    const { shipmentId, trackingNumber } = await labelled()
    await world.control(`parcels/${trackingNumber}`, { events: [{ code: 'TRANSIT' }] })
    expect(await cancel(shipmentId)).toMatchObject({ kind: 'rejected', code: 'carrier_refused' })
    await kernel.run(trackShipment, { shipmentId })
    expect(await cancel(shipmentId)).toMatchObject({
      code: 'shipment_state_conflict',
      detail: { current: 'in_transit' },
    })
    expect(await cancel(uuidv7())).toMatchObject({ code: 'shipment_not_found' })
  })
})

describe('twice is once', () => {
  const same = async (run: () => Promise<Outcome>) => {
    const first = await run()
    const before = await dumpShipping(kernel.sql)
    const second = await run()
    expect(await dumpShipping(kernel.sql)).toEqual(before)
    expect(second).toEqual({ ...first, follow: [], emit: [] } as typeof second)
  }
  for (const postalCode of ['10115', 'SIM-REFUSED'])
    test(`shipping.create-shipment to ${postalCode}`, () => {
      const job = jobOf<typeof createShipment>(wanted(postalCode))
      return same(() => create(world.at(), job))
    })
  test('shipping.record-tracking', async () => {
    const { shipmentId } = await labelled('manual')
    const occurredAt = '2026-01-02T10:00:00Z'
    const job = jobOf<typeof recordTracking>({ shipmentId, status: 'delivered', occurredAt })
    await same(async () => carryOut(sql, await world.at()['shipping.record-tracking'](job)))
  })
  test('shipping.cancel-shipment', async () => {
    const { shipmentId } = await labelled()
    const job = jobOf<typeof cancelShipment>({ shipmentId })
    await same(async () => carryOut(sql, await world.at()['shipping.cancel-shipment'](job)))
  })
  test('shipping.track-shipment', async () => {
    const { shipmentId, trackingNumber } = await labelled()
    await world.control(`parcels/${trackingNumber}`, { events: [{ code: 'RETURNED' }] })
    const job = jobOf<typeof trackShipment>({ shipmentId })
    await same(async () => carryOut(sql, await world.at()['shipping.track-shipment'](job)))
  })
})
