import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import { type createShipment, reportedStatuses } from '../../queues/shipments.ts'
import type { TestKernel } from '../../test/harness.ts'
import { carryOut, jobOf } from '../../test/trade.ts'
import { newsOf } from './domain.ts'
import { openShipping, type ShippingWorld } from './service.fixture.ts'
import { type Told, tell } from './store.ts'

let world: ShippingWorld
let kernel: TestKernel
let sql: Sql
beforeAll(async () => {
  world = await openShipping()
  ;({ kernel, sql } = world)
})
afterAll(() => world.stop())

/** A parcel that has its label since noon, and nothing else. */
async function addParcel(): Promise<string> {
  const job = jobOf<typeof createShipment>(
    {
      shipmentId: uuidv7(),
      orderId: uuidv7(),
      storeId: uuidv7(),
      customerId: uuidv7(),
      lines: [{ sku: 'TEA', quantity: 1 }],
      destination: null,
      rate: null,
    },
    { now: new Date('2026-01-01T12:00:00Z') },
  )
  await carryOut(sql, await world.at()['shipping.create-shipment'](job))
  return job.input.shipmentId
}

/** Some of them fall on the same hour, as they do where carriers know days only. */
const scan = fc.record({
  id: fc.integer({ min: 1, max: 12 }).map(String),
  status: fc.constantFrom(...reportedStatuses, 'unknown' as const),
  hour: fc.integer({ min: 0, max: 4 }),
})
const scans = fc.uniqueArray(scan, { maxLength: 10, selector: ({ id }) => id }).map(those =>
  those.map(
    ({ id, status, hour }): Told => ({
      id,
      status,
      source: 'simulator',
      note: null,
      occurredAt: new Date(Date.UTC(2026, 0, 2, hour)),
    }),
  ),
)
/** The same scans as they may arrive: in any order, some of them again, in any portions. */
const arrival = (those: readonly Told[]) =>
  fc
    .tuple(
      fc.shuffledSubarray([...those], { minLength: those.length }),
      fc.shuffledSubarray([...those]),
      fc.integer({ min: 1, max: 5 }),
    )
    .map(([first, again, portion]) => {
      const all = [...first, ...again]
      return Array.from({ length: Math.ceil(all.length / portion) }, (_, at) =>
        all.slice(at * portion, (at + 1) * portion),
      )
    })

const arrive = async (portions: readonly (readonly Told[])[]) => {
  const id = await addParcel()
  const statuses = ['label_created']
  const told: string[] = []
  for (const portion of portions) {
    const moved = await sql.begin(tx => tell(tx, id, portion))
    if (!moved) throw new Error('the parcel is gone')
    statuses.push(moved.after)
    told.push(...newsOf(moved).map(({ event }) => event.name))
  }
  return { id, statuses, told, last: statuses.at(-1) }
}

test('any order and any repetition of the same scans gives a parcel the same status', async () => {
  await fc.assert(
    fc.asyncProperty(
      scans.chain(those => fc.tuple(arrival(those), arrival(those))),
      async ([one, other]) => {
        expect((await arrive(one)).last).toBe((await arrive(other)).last)
      },
    ),
    { numRuns: 40 },
  )
})

test('delivered gives way to returned alone, and each end is told once, however scans come in', async () => {
  await fc.assert(
    fc.asyncProperty(scans.chain(arrival), async portions => {
      const { statuses, told, last } = await arrive(portions)
      const delivered = statuses.indexOf('delivered')
      const after = delivered < 0 ? [] : statuses.slice(delivered)
      expect(after.filter(each => each !== 'delivered' && each !== 'returned_to_sender')).toEqual([])
      const count = (name: string) => told.filter(each => each === name).length
      expect(count('shipment.delivered')).toBe(delivered < 0 ? 0 : 1)
      expect(count('shipment.returned')).toBe(last === 'returned_to_sender' ? 1 : 0)
    }),
    { numRuns: 40 },
  )
})

test('what happens on the way follows the time at which it happened, not the time at which it is told', async () => {
  const at = (hour: number, status: Told['status']): Told => ({
    id: `${hour}`,
    status,
    source: 'simulator',
    note: null,
    occurredAt: new Date(Date.UTC(2026, 0, 2, hour)),
  })
  const { statuses } = await arrive([
    [at(3, 'attempt_failed')],
    [at(2, 'out_for_delivery')],
    [at(4, 'in_transit')],
    [at(1, 'lost')],
  ])
  expect(statuses.slice(1)).toEqual(['attempt_failed', 'attempt_failed', 'in_transit', 'in_transit'])
})

test('every parcel of these tests has the status that its events say, and one label', async () => {
  for (const name of ['tracking', 'labels', 'tickets'])
    expect(await kernel.sql`select ${kernel.sql(`invariants.${name}`)}('2020-01-01')`).toHaveLength(0)
})
