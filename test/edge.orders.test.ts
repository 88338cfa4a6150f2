import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { createClient } from '../client/client.ts'
import { mainStoreId } from '../queues/stores.ts'
import { customer, merchant, type Person, type TestEdge, testEdge } from './edge-harness.ts'
import type { TestKernel } from './harness.ts'
import { addProduct, buy, tradeKernel } from './trade.ts'

let kernel: TestKernel
let edge: TestEdge
const buyer = customer()
const orderIds: string[] = []
beforeAll(async () => {
  kernel = await tradeKernel()
  const { routesOf } = kernel.services
  edge = await testEdge({
    database: kernel.database,
    upstreams: { orders: routesOf('orders'), payments: routesOf('payments') },
  })
  const { sku } = await addProduct(kernel)
  const actor = { id: buyer.id, scopes: [] }
  for (const card of ['pm_card_ok', 'pm_card_ok', 'pm_card_declined'])
    orderIds.push((await buy(kernel, [{ sku, quantity: 1 }], { actor, card })).id)
  await kernel.idle()
})
afterAll(async () => {
  await edge.stop()
  await kernel.stop()
})

const clientOf = async (person: Person) =>
  createClient({
    baseUrl: 'http://edge.test',
    token: await edge.tokenFor(person),
    fetch: async (...request) => edge.edge.fetch(new Request(...request)),
  })
const idsOf = (page: { readonly items: readonly { readonly id: string }[] }) => page.items.map(({ id }) => id)

describe('a merchant', () => {
  test('finds what a store has to do, the oldest first, page by page, and nothing that is not paid', async () => {
    const { orders } = await clientOf(merchant())
    expect(idsOf(await orders.listOfStore(mainStoreId))).toEqual(orderIds.slice(0, 2))
    const first = await orders.listOfStore(mainStoreId, { limit: 1 })
    expect(idsOf(first)).toEqual(orderIds.slice(0, 1))
    const cursor = first.nextCursor ?? ''
    expect(idsOf(await orders.listOfStore(mainStoreId, { limit: 1, cursor }))).toEqual(orderIds.slice(1, 2))
    expect(idsOf(await orders.listOfStore(mainStoreId, { state: 'fulfilling' }))).toEqual([])
    expect(idsOf(await orders.listOfStore(uuidv7()))).toEqual([])
  })

  test('reads each of them, and its payment', async () => {
    const { orders, payments } = await clientOf(merchant())
    const [id = ''] = orderIds
    expect(await orders.get(id)).toMatchObject({ id, state: 'paid', lines: [{ quantity: 1 }] })
    const { items } = await payments.list({ orderId: id })
    expect(items).toMatchObject([{ orderId: id, status: 'captured' }])
    expect(await payments.get(items[0]?.id ?? '')).toEqual(items[0] as never)
  })

  test('has in the lists of their own what is their own', async () => {
    const { orders, payments } = await clientOf(merchant())
    expect(idsOf(await orders.list())).toEqual([])
    expect(idsOf(await payments.list())).toEqual([])
  })
})

describe('a customer', () => {
  test('404 for what is of somebody else, whatever they say of themselves', async () => {
    const [own, other] = [await clientOf(buyer), await clientOf(customer())]
    const [id = ''] = orderIds
    const [payment] = (await own.payments.list({ orderId: id })).items
    expect(await own.orders.get(id)).toMatchObject({ id })
    await expect(other.orders.get(id)).rejects.toMatchObject({ problem: { code: 'not_found' } })
    await expect(other.payments.get(payment?.id ?? '')).rejects.toMatchObject({
      problem: { code: 'not_found' },
    })
    expect(idsOf(await other.payments.list({ orderId: id }))).toEqual([])
    const token = await edge.tokenFor(customer())
    const asked = await edge.ask('GET', `/v1/payments?orderId=${id}&all=true`, { token })
    expect([asked.status, asked.body.code]).toEqual([400, 'invalid_parameter'])
  })

  test('403 for the orders of a store', async () => {
    const token = await edge.tokenFor(buyer)
    const { status, body } = await edge.ask('GET', `/v1/stores/${mainStoreId}/orders`, { token })
    expect([status, body.code]).toEqual([403, 'insufficient_scope'])
  })
})
