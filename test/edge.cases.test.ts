import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { createClient } from '../client/client.ts'
import { cancel } from '../queues/orders.ts'
import { customer, merchant, operator, type TestEdge, testEdge } from './edge-harness.ts'
import type { TestKernel } from './harness.ts'
import { addProduct, buy, somebody, tradeKernel } from './trade.ts'

let kernel: TestKernel
let edge: TestEdge
let token: string
let orderId: string
const causes: string[] = []
beforeAll(async () => {
  kernel = await tradeKernel()
  edge = await testEdge({
    database: kernel.database,
    upstreams: { orders: kernel.services.routesOf('orders') },
  })
  token = await edge.tokenFor(operator())
  const { sku } = await addProduct(kernel)
  const actor = somebody()
  orderId = (await buy(kernel, [{ sku, quantity: 1 }], { actor })).id
  await kernel.idle()
  await kernel.run(cancel, { orderId }, { actor })
  await kernel.idle()
  for (const kind of ['dispute', 'late_payment', 'late_payment']) {
    const cause = uuidv7()
    causes.push(cause)
    await kernel.sql`insert into orders.cases (id, kind, cause, order_id, detail, opened_at)
      values (${uuidv7()}, ${kind}, ${cause}, ${orderId}, '{"amountMinor": 350}', now())`
  }
})
afterAll(async () => {
  await edge.stop()
  await kernel.stop()
})
const list = async (query = '') => {
  const { status, body } = await edge.ask('GET', `/v1/ops/cases${query}`, { token })
  expect(status).toBe(200)
  return body as unknown as {
    items: { id: string; kind: string; cause: string }[]
    nextCursor: string | null
  }
}

describe('operators', () => {
  test('list cases, newest first, by state, kind and order, page by page', async () => {
    expect((await list()).items.map(each => each.cause)).toEqual(causes.toReversed())
    expect((await list('?kind=dispute')).items).toHaveLength(1)
    expect((await list('?state=resolved')).items).toHaveLength(0)
    expect((await list(`?orderId=${uuidv7()}`)).items).toHaveLength(0)
    const first = await list('?limit=2')
    expect(first.items).toHaveLength(2)
    expect((await list(`?limit=2&cursor=${first.nextCursor}`)).items.map(each => each.cause)).toEqual([
      causes[0] ?? '',
    ])
  })
  test('read one, and 404 for one that is not there', async () => {
    const [{ id } = { id: '' }] = (await list()).items
    const { status, body } = await edge.ask('GET', `/v1/ops/cases/${id}`, { token })
    expect([status, body]).toMatchObject([200, { id, orderId, state: 'open', detail: { amountMinor: 350 } }])
    expect((await edge.ask('GET', `/v1/ops/cases/${uuidv7()}`, { token })).status).toBe(404)
  })
  test('see how far an order has come, whosever it is, with its cases', async () => {
    const { status, body } = await edge.ask('GET', `/v1/orders/${orderId}/saga`, { token })
    expect([status, body]).toMatchObject([200, { orderId, direction: 'ended', cases: [{}, {}, {}] }])
    expect((body.steps as { state: string }[]).map(each => each.state)).toEqual(Array(7).fill('undone'))
    expect((await edge.ask('GET', `/v1/orders/${uuidv7()}/saga`, { token })).status).toBe(404)
  })
  test('give a reason when they resolve one', async () => {
    const [{ id } = { id: '' }] = (await list()).items
    for (const body of [{}, { reason: '' }, { reason: 'a\nb' }]) {
      const answer = await edge.ask('POST', `/v1/ops/cases/${id}/resolve`, { token, body, key: uuidv7() })
      expect([answer.status, JSON.stringify(answer.body)]).toEqual([422, expect.stringContaining('#/reason')])
    }
  })
  test('are told so in words for a kind or state that does not exist', async () => {
    for (const query of ['kind=odd', 'state=odd', 'orderId=odd'])
      expect((await edge.ask('GET', `/v1/ops/cases?${query}`, { token })).status).toBe(400)
  })
})

test('403: customers and merchants see no cases and no sagas, and resolve none', async () => {
  for (const person of [customer(), merchant()]) {
    const other = await edge.tokenFor(person)
    for (const path of ['/v1/ops/cases', `/v1/ops/cases/${uuidv7()}`, `/v1/orders/${orderId}/saga`])
      expect([path, (await edge.ask('GET', path, { token: other })).status]).toEqual([path, 403])
    const asked = { token: other, body: { reason: 'mine' }, key: uuidv7() }
    expect((await edge.ask('POST', `/v1/ops/cases/${uuidv7()}/resolve`, asked)).status).toBe(403)
  }
})

test('403: customers ship, accept and reject nothing', async () => {
  const other = await edge.tokenFor(customer())
  for (const [path, body] of [
    ['shipments', {}],
    ['accept', {}],
    ['reject', { reason: 'no' }],
    ['returns/receive', { lines: [{ sku: 'TEA', restock: true }] }],
    ['returns/decline', { reason: 'no' }],
  ] as const) {
    const answer = await edge.ask('POST', `/v1/orders/${orderId}/${path}`, {
      token: other,
      body,
      key: uuidv7(),
    })
    expect([path, answer.status]).toEqual([path, 403])
  }
})

test('the client has them as methods', () => {
  const client = createClient({ baseUrl: 'http://localhost:1' })
  expect(Object.keys(client.cases).sort()).toEqual(['get', 'list', 'saga'])
  for (const name of [
    'ship',
    'accept',
    'reject',
    'requestReturn',
    'receiveReturn',
    'declineReturn',
    'resolveCase',
  ] as const)
    expect(client.orders[name]).toBeFunction()
})
