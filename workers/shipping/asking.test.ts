import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import { expireSilent, type forgetHints, type trackOverdue, trackShipment } from '../../queues/shipments.ts'
import type { TestKernel } from '../../test/harness.ts'
import { carryOut, jobOf, outputOf } from '../../test/trade.ts'
import { labelledAt, openShipping, type ShippingWorld, shipmentRow } from './service.fixture.ts'

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

describe('shipping.track-shipment', () => {
  test('notes what the carrier knows, in whatever order it tells it, and tells each end once', async () => {
    const { shipmentId, trackingNumber } = await labelled()
    const at = (hour: number) => new Date(Date.UTC(2027, 0, 2, hour)).toISOString()
    await world.control(`parcels/${trackingNumber}`, {
      events: [
        { code: 'DELIVERED', at: at(5) },
        { code: 'TRANSIT', at: at(1) },
        { code: 'TELEPORTED', at: at(9) },
        { code: 'COURIER', at: at(4) },
      ],
    })
    const { result, id } = await kernel.run(trackShipment, { shipmentId })
    expect(result).toEqual({ shipmentId, status: 'delivered' })
    expect((await kernel.story(id)).events.map(each => each.type).sort()).toEqual([
      'shipment.changed',
      'shipment.delivered',
    ])
    await world.control(`parcels/${trackingNumber}`, { events: [{ code: 'TRANSIT', at: at(12) }] })
    const again = await kernel.run(trackShipment, { shipmentId })
    expect(again.result).toEqual({ shipmentId, status: 'delivered' })
    expect((await kernel.story(again.id)).events).toEqual([])
    await world.control(`parcels/${trackingNumber}`, { events: [{ code: 'RETURNED', at: at(2) }] })
    const returned = await kernel.run(trackShipment, { shipmentId })
    expect(returned.result).toEqual({ shipmentId, status: 'returned_to_sender' })
    expect((await kernel.story(returned.id)).events.map(each => each.type).sort()).toEqual([
      'shipment.changed',
      'shipment.returned',
    ])
  })
  test('a lost parcel may be found', async () => {
    const { shipmentId, trackingNumber } = await labelled()
    const statusAfter = async (code: string) => {
      await world.control(`parcels/${trackingNumber}`, { events: [{ code }] })
      return (await kernel.run(trackShipment, { shipmentId })).result
    }
    expect(await statusAfter('LOST')).toMatchObject({ status: 'lost' })
    expect(await statusAfter('TRANSIT')).toMatchObject({ status: 'in_transit' })
  })
  test('of a parcel that is not there is refused; of one without a number there is nothing to ask', async () => {
    expect((await kernel.run(trackShipment, { shipmentId: uuidv7() })).result).toMatchObject({
      code: 'shipment_not_found',
    })
    const { shipmentId } = await labelled('manual')
    expect((await kernel.run(trackShipment, { shipmentId })).result).toMatchObject({
      status: 'label_created',
    })
  })
})

describe('by the clock', () => {
  test('shipping.track-overdue: parcels that were not heard of for hours are asked for; twice is once', async () => {
    const { shipmentId, trackingNumber } = await labelled()
    await world.control(`parcels/${trackingNumber}`, { events: [{ code: 'DELIVERED' }], webhooks: 'none' })
    await kernel.sql`update shipping.shipments set track_at = now() where id = ${shipmentId}`
    const look = async () =>
      carryOut(sql, await world.at()['shipping.track-overdue'](jobOf<typeof trackOverdue>({})))
    const asked = await look()
    expect(asked).toMatchObject({
      follow: [{ command: { name: 'shipping.track-shipment' }, input: { shipmentId } }],
    })
    expect(await look()).toMatchObject({ output: { shipments: 0 }, follow: [] })
    await kernel.run(trackShipment, { shipmentId })
    expect(await rowOf(shipmentId)).toMatchObject({ status: 'delivered', track_at: null })
  })
  test('shipping.forget-hints: webhooks are kept for thirty days; twice is once', async () => {
    const keep = async (days: number) => {
      const id = uuidv7()
      await kernel.sql`insert into shipping.hints (carrier, event_id, tracking_number, raw, received_at)
        values ('simulator', ${id}, 'SIM', '', now() - ${days} * interval '1 day')`
      return id
    }
    const [fresh] = [await keep(29), await keep(31)]
    const forget = async () =>
      outputOf(await carryOut(sql, await world.at()['shipping.forget-hints'](jobOf<typeof forgetHints>({}))))
    const left = async () =>
      (await sql`select event_id from shipping.hints where tracking_number = 'SIM'`).map(row => row.event_id)
    await forget()
    expect(await left()).toEqual([fresh])
    expect(await forget()).toEqual({ hints: 0 })
    expect(await left()).toEqual([fresh])
  })
  test('shipping.expire-silent: thirty days without a word expire a parcel, and a word brings it back', async () => {
    const silent = await labelled()
    const fresh = await labelled()
    await kernel.sql`update shipping.shipments
      set heard_at = now() - interval '30 days 1 minute' where id = ${silent.shipmentId}`
    const { result, id } = await kernel.run(expireSilent, {})
    expect(result).toEqual({ shipments: 1 })
    expect((await kernel.story(id)).events).toMatchObject([
      { type: 'shipment.changed', payload: { shipmentId: silent.shipmentId, status: 'expired' } },
      { type: 'shipment.lost', payload: { shipmentId: silent.shipmentId, status: 'expired' } },
    ])
    expect((await kernel.run(expireSilent, {})).result).toEqual({ shipments: 0 })
    expect(await rowOf(fresh.shipmentId)).toMatchObject({ status: 'label_created' })
    await world.control(`parcels/${silent.trackingNumber}`, { events: [{ code: 'TRANSIT' }] })
    expect((await kernel.run(trackShipment, { shipmentId: silent.shipmentId })).result).toMatchObject({
      status: 'in_transit',
    })
  })
})
