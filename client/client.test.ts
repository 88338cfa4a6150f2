import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { listen } from '../edge/serve.ts'
import { createEnqueuer, type Enqueuer } from '../queues/enqueue.ts'
import { customer, merchant, type TestEdge, testEdge } from '../test/edge-harness.ts'
import { type TestKernel, testKernel, testLog } from '../test/harness.ts'
import { catalogService } from '../workers/catalog/index.ts'
import { ordersService } from '../workers/orders/index.ts'
import { createClient } from './client.ts'
import { ApiProblem, type ClientOptions } from './transport.ts'

let kernel: TestKernel
let enqueuer: Enqueuer
let edge: TestEdge
let shopper: string
let seller: string
beforeAll(async () => {
  kernel = await testKernel({ services: [catalogService, ordersService] })
  enqueuer = createEnqueuer(kernel.redis, testLog)
  const { routesOf } = kernel.services
  const upstreams = { catalog: routesOf('catalog'), orders: routesOf('orders') }
  edge = await testEdge({ database: kernel.database, enqueuer, upstreams })
  shopper = await edge.tokenFor(customer())
  seller = await edge.tokenFor(merchant())
})
afterAll(async () => {
  await enqueuer.close()
  await kernel.stop()
})

type Fetch = NonNullable<ClientOptions['fetch']>
const toEdge: Fetch = async (url, init) => edge.edge.fetch(new Request(url, init))
const clientOf = (token: string, fetch = toEdge) =>
  createClient({ baseUrl: 'http://edge.test/', token, fetch, retryDelayMs: () => 1 })

async function addProduct(onHand: number): Promise<{ productId: string; sku: string }> {
  const sku = `SKU-${uuidv7().toUpperCase()}`
  const product = { sku, title: 'Mug', priceMinor: 500, currency: 'EUR', onHand }
  const outcome = await (await clientOf(seller).catalog.createProduct(product)).wait()
  if (outcome.state !== 'succeeded') throw new Error(`the product was ${outcome.state}`)
  return outcome.output
}
const basket = (sku: string, quantity = 1) => ({ lines: [{ sku, quantity }], paymentMethod: 'pm_card_ok' })
const countOrders = async (actorToken: string) =>
  (await clientOf(actorToken).orders.list({ limit: 100 })).items.length

/** Passes on to the edge what `disturb` leaves of it. */
function disturbed(disturb: (failure: number) => Response | 'lost answer' | 'no connection' | null) {
  const keys: (string | null)[] = []
  const fetch: Fetch = async (url, init) => {
    keys.push(new Headers(init.headers).get('idempotency-key'))
    const fault = disturb(keys.length)
    if (fault === 'no connection') throw new TypeError('connection refused')
    if (fault instanceof Response) return fault
    const answer = await toEdge(url, init)
    if (fault === 'lost answer') throw new TypeError('connection reset')
    return answer
  }
  return { fetch, keys }
}

describe('a command', () => {
  test('is asked for by the name of its registry entry, and its outcome is typed', async () => {
    const { sku } = await addProduct(5)
    const operation = await clientOf(shopper).orders.place(basket(sku, 2))
    expect(operation.replayed).toBe(false)
    expect(await operation.wait()).toEqual({
      state: 'succeeded',
      output: { orderId: operation.id, state: 'pending_payment', totalMinor: 1_000, currency: 'EUR' },
    })
  })
  test('fills the address from its input', async () => {
    const { productId } = await addProduct(5)
    const outcome = await (await clientOf(seller).catalog.setStock({ productId, onHand: 9 })).wait()
    expect(outcome).toMatchObject({ state: 'succeeded', output: { onHand: 9, available: 9 } })
    expect((await clientOf(shopper).catalog.getProduct(productId)).available).toBe(9)
  })
  test('is refused in the same words, waited for by the server or by the client', async () => {
    const { sku } = await addProduct(1)
    const refusal = {
      code: 'out_of_stock',
      status: 409,
      title: 'Not enough pieces are left.',
      detail: { shortages: [{ sku, requested: 3, available: 1 }] },
    }
    for (const waitSeconds of [0, 20]) {
      const operation = await clientOf(shopper).orders.place(basket(sku, 3), { waitSeconds })
      expect(await operation.wait()).toEqual({ state: 'rejected', refusal } as never)
    }
  })
  test('asked for twice with one key is one command', async () => {
    const { sku } = await addProduct(5)
    const idempotencyKey = uuidv7()
    const first = await clientOf(shopper).orders.place(basket(sku), { idempotencyKey })
    const again = await clientOf(shopper).orders.place(basket(sku), { idempotencyKey, waitSeconds: 20 })
    expect([again.id, again.replayed]).toEqual([first.id, true])
    expect(await again.wait()).toEqual(await first.wait())
  })
  test('that is not accepted throws its problem', async () => {
    const wrong = clientOf(shopper).orders.place({ lines: [], paymentMethod: 'pm_card_ok' })
    const problem = await wrong.catch(error => error)
    expect(problem).toBeInstanceOf(ApiProblem)
    expect(problem.problem).toMatchObject({
      status: 422,
      code: 'validation_failed',
      errors: [{ pointer: '#/lines' }],
    })
    await expect(clientOf('nonsense').orders.place(basket('MUG'))).rejects.toMatchObject({
      code: 'unauthenticated',
    })
    await expect(clientOf(shopper).catalog.createProduct({} as never)).rejects.toMatchObject({ status: 403 })
  })
  test('stops to be waited for when the signal says so; it goes on all the same', async () => {
    const listener = listen(edge.edge.fetch, { HOST: '127.0.0.1', PORT: 0 })
    const client = createClient({ baseUrl: `http://127.0.0.1:${listener.port}`, token: shopper })
    const operation = await client.media.convert({ uploadId: uuidv7(), preset: 'mp3-128' })
    await expect(operation.wait({ signal: AbortSignal.timeout(50) })).rejects.toThrow()
    expect((await client.commands.get(operation.id)).state).toBe('accepted')
    void listener.stop()
  })
})

describe('a request that fails on the way', () => {
  test('is sent again with the same key: one order, whether it had arrived or not', async () => {
    const { sku } = await addProduct(9)
    const buyer = await edge.tokenFor(customer())
    const busy = () =>
      Response.json({}, { status: 503, headers: { 'content-type': 'application/problem+json' } })
    const faults = [
      (failure: number) => (failure < 4 ? 'lost answer' : null),
      (failure: number) => (failure < 4 ? 'no connection' : null),
      (failure: number) => (failure < 4 ? busy() : null),
    ] as const
    for (const [at, fault] of faults.entries()) {
      const { fetch, keys } = disturbed(fault)
      const operation = await clientOf(buyer, fetch).orders.place(basket(sku), { waitSeconds: 20 })
      expect((await operation.wait()).state).toBe('succeeded')
      expect(keys.length).toBe(4)
      expect(new Set(keys).size).toBe(1)
      expect(await countOrders(buyer)).toBe(at + 1)
    }
  })
  test('is not sent for ever: the last failure is the answer', async () => {
    const down = disturbed(() => 'no connection')
    await expect(clientOf(shopper, down.fetch).orders.place(basket('MUG'))).rejects.toThrow(
      'connection refused',
    )
    expect(down.keys.length).toBe(5)
    const busy = disturbed(() => new Response('busy', { status: 503 }))
    await expect(clientOf(shopper, busy.fetch).catalog.listProducts()).rejects.toMatchObject({ status: 503 })
    expect(busy.keys.length).toBe(5)
  })
  test('is sent once if sending it twice could do harm, or the answer was a clear no', async () => {
    const down = disturbed(() => 'no connection')
    const registration = { email: 'a@example.com', password: 'long enough', name: 'A' }
    await expect(clientOf('', down.fetch).accounts.register(registration)).rejects.toThrow(
      'connection refused',
    )
    expect(down.keys.length).toBe(1)
    const no = disturbed(() => null)
    await expect(clientOf('', no.fetch).orders.list()).rejects.toMatchObject({ status: 401 })
    expect(no.keys.length).toBe(1)
  })
  test('has its token fetched anew for every try', async () => {
    const { sku } = await addProduct(5)
    let given = 0
    const { fetch } = disturbed(failure => (failure === 1 ? 'no connection' : null))
    const token = async () => {
      given++
      return shopper
    }
    const client = createClient({ baseUrl: 'http://edge.test', token, fetch, retryDelayMs: () => 1 })
    await client.orders.place(basket(sku))
    expect(given).toBe(2)
  })
})

test('reads are typed and paged', async () => {
  const { sku } = await addProduct(5)
  const buyer = clientOf(await edge.tokenFor(customer()))
  for (const quantity of [1, 2]) await (await buyer.orders.place(basket(sku, quantity))).wait()
  const first = await buyer.orders.list({ limit: 1 })
  const second = await buyer.orders.list({ limit: 1, cursor: first.nextCursor ?? '' })
  expect([...first.items, ...second.items].map(each => each.totalMinor)).toEqual([1_000, 500])
  expect(second.nextCursor).toBeNull()
  const order = await buyer.orders.get(first.items[0]?.id ?? '')
  expect(order.lines).toMatchObject([{ sku, quantity: 2, totalMinor: 1_000 }])
  const story = await buyer.commands.story(order.id)
  expect(story.commands[0]).toMatchObject({ id: order.id, command: 'orders.place' })
})
