import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { InputOf } from '../../queues/command.ts'
import { advanceTicket, openTicket } from '../../queues/kitchen.ts'
import type { TestKernel } from '../../test/harness.ts'
import { carryOut, jobOf, outputOf } from '../../test/trade.ts'
import { dumpShipping, openShipping, type ShippingWorld } from './service.fixture.ts'

let world: ShippingWorld
let kernel: TestKernel
let sql: Sql
beforeAll(async () => {
  world = await openShipping()
  ;({ kernel, sql } = world)
})
afterAll(() => world.stop())

const accepted = (): InputOf<typeof openTicket> => ({
  shipmentId: uuidv7(),
  orderId: uuidv7(),
  storeId: uuidv7(),
  customerId: uuidv7(),
  lines: [{ sku: 'SOUP', quantity: 2 }],
  destination: null,
  rate: null,
})
async function ticket() {
  const { shipmentId: ticketId, ...order } = await kernel
    .run(openTicket, accepted())
    .then(({ input }) => input as InputOf<typeof openTicket>)
  const go = (to: InputOf<typeof advanceTicket>['to']) => kernel.run(advanceTicket, { ticketId, to })
  return { ticketId, ...order, go }
}
const told = async (id: string) => (await kernel.story(id)).events.map(({ type, payload }) => [type, payload])

describe('shipping.advance-ticket', () => {
  for (const way of [['picked_up'], ['out_for_delivery', 'delivered']] as const)
    test(`accepted, preparing, ready, ${way.join(', ')}: the end is told, and only the end`, async () => {
      const { ticketId, orderId, customerId, lines, go } = await ticket()
      for (const to of ['preparing', 'ready', ...way.slice(0, -1)] as const) {
        const { id, result } = await go(to)
        expect(result).toEqual({ ticketId, state: to })
        expect(await told(id)).toEqual([])
      }
      const { id } = await go(way.at(-1) as 'delivered')
      expect(await told(id)).toEqual([
        ['shipment.delivered', { shipmentId: ticketId, orderId, customerId, lines }],
      ])
    })
  test('a step that is left out, or back, is refused with what is allowed', async () => {
    const { go } = await ticket()
    expect((await go('ready')).result).toEqual({
      code: 'ticket_state_conflict',
      detail: { current: 'accepted', allowed: ['preparing'] },
    })
    for (const to of ['preparing', 'ready', 'picked_up'] as const) await go(to)
    expect((await go('preparing')).result).toEqual({
      code: 'ticket_state_conflict',
      detail: { current: 'picked_up', allowed: [] },
    })
  })
  test('to where it is already, it stays, and nothing is told again', async () => {
    const { ticketId, go } = await ticket()
    for (const to of ['preparing', 'ready', 'picked_up'] as const) await go(to)
    const again = await go('picked_up')
    expect([again.result, await told(again.id)]).toEqual([{ ticketId, state: 'picked_up' }, []])
  })
  test('of a ticket that is not there is refused', async () => {
    const { result } = await kernel.run(advanceTicket, { ticketId: uuidv7(), to: 'preparing' })
    expect(result).toMatchObject({ code: 'ticket_not_found' })
  })
  test('twenty hands at once move it one step, and tell of its end once', async () => {
    const { ticketId, go } = await ticket()
    for (const to of ['preparing', 'ready'] as const) await go(to)
    const ends = ['picked_up', 'out_for_delivery'] as const
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async (_, number) => {
        const job = jobOf<typeof advanceTicket>({ ticketId, to: ends[number % 2] ?? 'picked_up' })
        return carryOut(sql, await world.at()['shipping.advance-ticket'](job))
      }),
    )
    expect(outcomes.filter(({ kind }) => kind === 'rejected')).toHaveLength(10)
    const [row] = await sql`select state from shipping.tickets where id = ${ticketId}`
    const news = outcomes.flatMap(each => (each.kind === 'done' ? each.emit : []))
    expect(news).toHaveLength(row?.state === 'picked_up' ? 1 : 0)
  })
})

describe('twice is once', () => {
  test('shipping.open-ticket: an order has one ticket', async () => {
    const job = jobOf<typeof openTicket>(accepted())
    const open = async () => outputOf(await carryOut(sql, await world.at()['shipping.open-ticket'](job)))
    const first = await open()
    const before = await dumpShipping(kernel.sql)
    expect(await open()).toEqual(first)
    expect(await dumpShipping(kernel.sql)).toEqual(before)
  })
  test('shipping.advance-ticket', async () => {
    const { ticketId } = await ticket()
    const job = jobOf<typeof advanceTicket>({ ticketId, to: 'preparing' })
    const move = async () => outputOf(await carryOut(sql, await world.at()['shipping.advance-ticket'](job)))
    const first = await move()
    const before = await dumpShipping(kernel.sql)
    expect(await move()).toEqual(first)
    expect(await dumpShipping(kernel.sql)).toEqual(before)
  })
})
