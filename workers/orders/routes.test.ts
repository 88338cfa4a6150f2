import { afterAll, beforeAll, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Actor } from '../../queues/access.ts'
import type { TestKernel } from '../../test/harness.ts'
import { addProduct, buy, somebody, tradeKernel } from '../../test/trade.ts'

let kernel: TestKernel
const owner = somebody()
const other = somebody()
const ids: string[] = []

beforeAll(async () => {
  kernel = await tradeKernel()
  const { sku } = await addProduct(kernel)
  for (let n = 0; n < 5; n++) {
    ids.unshift((await buy(kernel, [{ sku, quantity: 1 }], { actor: owner })).id)
  }
  await kernel.idle()
})
afterAll(() => kernel.stop())

const get = async (service: 'orders' | 'payments', path: string, actor: Actor | null) => {
  const headers = new Headers(actor ? { 'x-waybill-actor': actor.id } : {})
  const request = new Request(`http://${service}.test${path}`, { headers })
  const answer = await kernel.services.routesOf(service).handle(request)
  return { status: answer.status, body: await answer.json() }
}
type Items = { id: string }[]
const idsOf = (items: Items) => items.map(({ id }) => id)

test('GET /orders: one’s own, newest first, page after page, each once', async () => {
  const first = await get('orders', '/orders?limit=3', owner)
  expect(idsOf(first.body.items)).toEqual(ids.slice(0, 3))
  const last = await get('orders', `/orders?limit=3&cursor=${first.body.nextCursor}`, owner)
  expect(idsOf(last.body.items)).toEqual(ids.slice(3))
  expect(last.body.nextCursor).toBeNull()
  expect((await get('orders', '/orders', other)).body).toEqual({ items: [], nextCursor: null })
})

test('GET /payments: one’s own, of one order if it is named', async () => {
  expect((await get('payments', '/payments', owner)).body.items).toHaveLength(5)
  const ofOne = await get('payments', `/payments?orderId=${ids[0]}`, owner)
  expect(ofOne.body.items).toMatchObject([{ orderId: ids[0], status: 'captured' }])
  expect((await get('payments', `/payments?orderId=${ids[0]}`, other)).body.items).toEqual([])
})

test('404 for an order or a payment of somebody else, as for one that does not exist', async () => {
  const notFound = { status: 404, body: { code: 'not_found' } }
  const payment = (await get('payments', '/payments?limit=1', owner)).body.items[0].id
  expect((await get('orders', `/orders/${ids[0]}`, owner)).status).toBe(200)
  expect((await get('payments', `/payments/${payment}`, owner)).status).toBe(200)
  expect(await get('orders', `/orders/${ids[0]}`, other)).toEqual(notFound)
  expect(await get('orders', `/orders/${uuidv7()}`, owner)).toEqual(notFound)
  expect(await get('payments', `/payments/${payment}`, other)).toEqual(notFound)
  expect(await get('payments', `/payments/${uuidv7()}`, owner)).toEqual(notFound)
})

test('422 for a request without an actor, or with what is no id', async () => {
  const invalid = { status: 422, body: { code: 'invalid_request' } }
  for (const service of ['orders', 'payments'] as const) {
    expect(await get(service, `/${service}`, null)).toEqual(invalid)
    expect(await get(service, `/${service}/${ids[0]}`, null)).toEqual(invalid)
    expect(await get(service, `/${service}/1`, owner)).toEqual(invalid)
    expect(await get(service, `/${service}?cursor=x`, owner)).toEqual(invalid)
  }
})
