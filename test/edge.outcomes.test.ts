import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { Product } from '../queues/catalog.ts'
import { createEnqueuer, type Enqueuer } from '../queues/enqueue.ts'
import { accountsService } from '../workers/accounts/index.ts'
import { catalogService } from '../workers/catalog/index.ts'
import { ordersService } from '../workers/orders/index.ts'
import { paymentsService } from '../workers/payments/index.ts'
import { type Asked, customer, merchant, operator, type TestEdge, testEdge } from './edge-harness.ts'
import { type TestKernel, testKernel, testLog } from './harness.ts'

let kernel: TestKernel
let enqueuer: Enqueuer
let edge: TestEdge
let token: string
const wait = { prefer: 'wait=20' }

beforeAll(async () => {
  kernel = await testKernel({ services: [accountsService, catalogService, ordersService, paymentsService] })
  enqueuer = createEnqueuer(kernel.redis, testLog)
  const { routesOf } = kernel.services
  edge = await testEdge({
    database: kernel.database,
    enqueuer,
    upstreams: {
      accounts: routesOf('accounts'),
      catalog: routesOf('catalog'),
      orders: routesOf('orders'),
      payments: routesOf('payments'),
    },
  })
  token = await edge.tokenFor(customer())
})
afterAll(async () => {
  await enqueuer.close()
  await kernel.stop()
})

async function addProduct(onHand: number): Promise<{ productId: string; sku: string }> {
  const sku = `SKU-${uuidv7().toUpperCase()}`
  const { status, body } = await edge.ask('POST', '/v1/products', {
    token: await edge.tokenFor(merchant()),
    key: uuidv7(),
    body: { sku, title: '1/2/2025', priceMinor: 1999, currency: 'EUR', onHand },
    headers: wait,
  })
  expect(status).toBe(200)
  return { productId: String((body.output as { productId: string }).productId), sku }
}
const order = (sku: string, quantity: number, asked: Asked = {}) =>
  edge.ask('POST', '/v1/orders', {
    token,
    key: uuidv7(),
    body: { lines: [{ sku, quantity }], paymentMethod: 'pm_card_ok' },
    headers: wait,
    ...asked,
  })
const get = (path: string, as = token, headers = {}) => edge.ask('GET', path, { token: as, headers })

describe('Prefer: wait', () => {
  test('200 with the output, once it succeeded', async () => {
    const { sku } = await addProduct(5)
    const { status, headers, body } = await order(sku, 2)
    expect(status).toBe(200)
    expect(headers.get('preference-applied')).toBe('wait=20')
    expect(headers.get('location')).toBe(`/v1/commands/${body.id}`)
    expect(body).toMatchObject({
      command: 'orders.place',
      state: 'succeeded',
      output: { orderId: body.id, state: 'pending_payment', totalMinor: 3998, currency: 'EUR' },
      attempts: [{ number: 1, outcome: 'succeeded' }],
    })
  })
  test('the status of the refusal, with its facts and the id of the command', async () => {
    const { sku } = await addProduct(1)
    const { status, headers, body } = await order(sku, 2)
    expect(status).toBe(409)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(headers.get('location')).toBe(`/v1/commands/${body.commandId}`)
    expect(body).toEqual({
      type: 'http://edge.test/problems/out_of_stock',
      title: 'Not enough pieces are left.',
      status: 409,
      code: 'out_of_stock',
      shortages: [{ sku, requested: 2, available: 1 }],
      commandId: expect.any(String),
      requestId: String(headers.get('x-request-id')),
    })
  })
  test('a replay waits for the same command and gets the same outcome', async () => {
    const { sku } = await addProduct(5)
    const key = uuidv7()
    const [first, again] = await Promise.all([order(sku, 1, { key }), order(sku, 1, { key })])
    expect([first.status, again.status]).toEqual([200, 200])
    expect(again.body.output).toEqual(first.body.output)
    const replayed = [first, again].map(answer => answer.headers.get('idempotency-replayed'))
    expect(replayed.sort()).toEqual(['true', null].sort())
  })
  test('a replay without a wait tells the state of now', async () => {
    const { sku } = await addProduct(5)
    const key = uuidv7()
    const { body } = await order(sku, 1, { key })
    const again = await order(sku, 1, { key, headers: {} })
    expect([again.status, again.body]).toEqual([
      202,
      { id: body.id, command: 'orders.place', state: 'succeeded' },
    ])
  })
})

describe('GET /v1/commands/{id}', () => {
  test('its actor sees state, output and attempts', async () => {
    const { sku } = await addProduct(5)
    const { body } = await order(sku, 1)
    const { status, headers, body: command } = await get(`/v1/commands/${body.id}`)
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(command).toEqual(body)
    const [attempt] = command.attempts as { worker: string; startedAt: string; endedAt: string }[]
    expect(attempt?.worker).toBeString()
    expect(Date.parse(attempt?.endedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(attempt?.startedAt ?? ''))
  })
  test('a refusal is part of the answer, which is 200: the command can be read', async () => {
    const { sku } = await addProduct(0)
    const { body } = await order(sku, 1)
    const { status, body: command } = await get(`/v1/commands/${body.commandId}`, token, wait)
    expect(status).toBe(200)
    expect(command).toMatchObject({
      state: 'rejected',
      refusal: { code: 'out_of_stock', status: 409, title: 'Not enough pieces are left.' },
    })
    expect(command).not.toHaveProperty('output')
  })
  test('waits for the outcome on request', async () => {
    const { sku } = await addProduct(5)
    const { body } = await order(sku, 1, { headers: {} })
    const { body: command } = await get(`/v1/commands/${body.id}`, token, wait)
    expect(command.state).toBe('succeeded')
  })
  test('errors of attempts are for operators, stacks for nobody', async () => {
    const owner = customer()
    const id = await plantDeadCommand(owner.id)
    const asOwner = await get(`/v1/commands/${id}`, await edge.tokenFor(owner))
    const asOperator = await get(`/v1/commands/${id}`, await edge.tokenFor(operator()))
    expect(asOwner.body).toMatchObject({
      state: 'dead',
      attempts: [{ outcome: 'retrying' }, { outcome: 'dead' }],
    })
    expect(JSON.stringify(asOwner.body)).not.toContain('secret cause')
    expect(asOperator.body.attempts).toMatchObject([
      {},
      { error: { name: 'TypeError', message: 'secret cause' } },
    ])
    expect(JSON.stringify(asOperator.body)).not.toContain('at handler')
  })
})

describe('404: another customer’s ids', () => {
  test('commands, stories, orders, payments and accounts of others are not there', async () => {
    const { sku } = await addProduct(5)
    const { body } = await order(sku, 1)
    await kernel.idle()
    const payments = await get(`/v1/payments?orderId=${body.id}`)
    const [payment] = payments.body.items as { id: string }[]
    const paths = [
      `/v1/commands/${body.id}`,
      `/v1/commands/${body.id}/story`,
      `/v1/orders/${body.id}`,
      `/v1/payments/${payment?.id}`,
    ]
    const stranger = await edge.tokenFor(customer())
    for (const path of paths) {
      expect([path, (await get(path)).status]).toEqual([path, 200])
      const { status, body: problem } = await get(path, stranger)
      expect([path, status, problem.code]).toEqual([path, 404, 'not_found'])
      const unknown = await get(path.replace(/[0-9a-f-]{36}/, uuidv7()), stranger)
      expect({ ...unknown.body, requestId: '' }).toEqual({ ...problem, requestId: '' })
    }
    expect((await get('/v1/orders', stranger)).body).toEqual({ items: [], nextCursor: null })
    expect((await get(`/v1/payments?orderId=${body.id}`, stranger)).body.items).toEqual([])
  })
  test('an operator sees any command', async () => {
    const { sku } = await addProduct(5)
    const { body } = await order(sku, 1)
    const held = await edge.tokenFor(operator())
    expect((await get(`/v1/commands/${body.id}`, held)).status).toBe(200)
    expect((await get(`/v1/commands/${body.id}/story`, held)).status).toBe(200)
  })
})

test('the story of an order is one tree, from the request to the paid order', async () => {
  const { sku } = await addProduct(5)
  const { body } = await order(sku, 1)
  await kernel.idle()
  const { status, body: story } = await get(`/v1/commands/${body.id}/story`)
  expect(status).toBe(200)
  const commands = story.commands as { id: string; command: string; state: string; parentId: string | null }[]
  const of = (name: string) => commands.find(each => each.command === name)
  expect(commands[0]).toMatchObject({ id: body.id, command: 'orders.place', parentId: null })
  expect(of('payments.charge')).toMatchObject({ state: 'succeeded', parentId: body.id })
  expect(of('orders.confirm-payment')).toMatchObject({
    state: 'succeeded',
    parentId: of('payments.charge')?.id,
  })
  expect(JSON.stringify(story.events)).toContain('order.paid')
  const part = await get(`/v1/commands/${of('payments.charge')?.id}/story`)
  expect(part.body).toEqual(story)
})

describe('reads', () => {
  test('products are public, and a title that looks like a date stays a title', async () => {
    const { productId, sku } = await addProduct(7)
    const { status, body } = await edge.ask('GET', `/v1/products/${productId}`)
    expect(status).toBe(200)
    expect(body).toMatchObject({ id: productId, sku, title: '1/2/2025', priceMinor: 1999, available: 7 })
    expect(Object.keys(body).sort()).toEqual(Object.keys(Product.properties).sort())
    const page = await edge.ask('GET', '/v1/products?limit=1')
    expect((page.body.items as { sku: string }[])[0]?.sku).toBe(sku)
    const next = await edge.ask('GET', `/v1/products?limit=1&cursor=${page.body.nextCursor}`)
    expect((next.body.items as { sku: string }[])[0]?.sku).not.toBe(sku)
  })
  test('an order can be followed until it is paid', async () => {
    const { sku } = await addProduct(5)
    const { body } = await order(sku, 2)
    await kernel.idle()
    const { body: read } = await get(`/v1/orders/${body.id}`)
    expect(read).toMatchObject({ id: body.id, state: 'paid', paymentStatus: 'captured', totalMinor: 3998 })
    const { body: list } = await get('/v1/orders')
    expect((list.items as { id: string }[]).map(each => each.id)).toContain(String(body.id))
    const { body: payments } = await get(`/v1/payments?orderId=${body.id}`)
    expect(payments.items).toMatchObject([{ orderId: body.id, amountMinor: 3998, status: 'captured' }])
  })
  test('404 for what does not exist', async () => {
    for (const path of [
      `/v1/products/${uuidv7()}`,
      `/v1/orders/${uuidv7()}`,
      `/v1/commands/${uuidv7()}`,
      '/v1/orders/1',
    ])
      expect([path, (await get(path)).status]).toEqual([path, 404])
  })
  test('400 invalid_parameter: unknown, repeated and wrong query parameters, by name', async () => {
    for (const [query, parameter] of [
      ['limit=0', 'limit'],
      ['limit=101', 'limit'],
      ['limit=x', 'limit'],
      ['cursor=1', 'cursor'],
      ['page=2', 'page'],
      ['limit=1&limit=2', 'limit'],
    ]) {
      const { status, body } = await edge.ask('GET', `/v1/products?${query}`)
      expect([query, status, body.code]).toEqual([query, 400, 'invalid_parameter'])
      expect((body.errors as { parameter: string }[])[0]?.parameter).toBe(String(parameter))
    }
  })
  test('403 without the scope', async () => {
    const held = await edge.tokenFor({ id: uuidv7(), scopes: ['media:read'] })
    expect((await get('/v1/orders', held)).status).toBe(403)
  })
})

/** A command that failed for good, as the kernel leaves it. */
async function plantDeadCommand(actorId: string): Promise<string> {
  const id = uuidv7()
  const error = {
    name: 'TypeError',
    message: 'secret cause',
    stack: 'TypeError: secret cause\n    at handler',
  }
  await kernel.sql`insert into journal.commands
    (id, type, input, actor_id, state, result, correlation_id, traceparent, due_at, settled_at)
    values (${id}, 'orders.place', '{}', ${actorId}, 'dead', ${kernel.sql.json({ name: error.name, message: error.message })},
      ${id}, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', now(), now())`
  for (const [fence, outcome] of ['retrying', 'dead'].entries())
    await kernel.sql`insert into journal.attempts (command_id, fence, worker, started_at, ended_at, outcome, error)
      values (${id}, ${fence + 1}, 'w', now(), now(), ${outcome}, ${kernel.sql.json(error)})`
  return id
}
