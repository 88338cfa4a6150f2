import { afterAll, beforeAll, expect, test } from 'bun:test'
import { settledStory } from '../deploy/local/session.ts'
import { ask } from './edge-harness.ts'
import { openShop, type Shop, type SignedIn } from './shop.ts'

let shop: Shop
let merchant: SignedIn
let buyer: SignedIn
beforeAll(async () => {
  shop = await openShop()
  merchant = await shop.merchant()
  ;[buyer] = (await shop.newCustomers(1)) as [SignedIn]
})
afterAll(() => shop.close())

const overHttp = (url: string, init?: RequestInit) => fetch(new URL(url, shop.url), init)
const post = (path: string, body: unknown, token = buyer.token) =>
  ask(
    async request => {
      const { pathname } = new URL(request.url)
      return overHttp(pathname, { method: 'POST', headers: request.headers, body: await request.text() })
    },
    'POST',
    path,
    { token, key: crypto.randomUUID(), headers: { prefer: 'wait=20' }, body },
  )

async function addProduct(sku: string, priceMinor: number) {
  const product = { sku, title: 'Green tea', priceMinor, currency: 'EUR', onHand: 10 }
  const settled = await (await merchant.client.catalog.createProduct(product)).wait()
  if (settled.state !== 'succeeded') throw new Error(`not created: ${JSON.stringify(settled)}`)
  return settled.output
}
interface Quoted {
  readonly quoteId: string
  readonly token: string
  readonly totalMinor: number
}
const askForQuote = async (sku: string): Promise<Quoted> => {
  const { status, body } = await post('/v1/quotes', { lines: [{ sku, quantity: 3 }] })
  expect(status).toBe(200)
  return body.output as Quoted
}

test('a customer asks for a quote, orders from it, and pays what it said; it is theirs, and good once', async () => {
  const { sku } = await addProduct('QUOTED', 1_250)
  const { quoteId, token, totalMinor } = await askForQuote(sku)
  expect(totalMinor).toBe(3_750)
  expect(await buyer.client.orders.getQuote(quoteId)).toMatchObject({
    state: 'open',
    totalMinor,
    orderId: null,
  })
  await expect(merchant.client.orders.getQuote(quoteId)).rejects.toMatchObject({ status: 404 })

  const order = await buyer.client.orders.place({ quote: token, paymentMethod: 'pm_card_ok' })
  expect(await order.wait()).toMatchObject({ state: 'succeeded', output: { totalMinor } })
  await settledStory(buyer.client, order.id, 20_000)
  expect(await buyer.client.orders.get(order.id)).toMatchObject({ state: 'paid', totalMinor })
  expect(await buyer.client.orders.getQuote(quoteId)).toMatchObject({ state: 'used', orderId: order.id })

  const again = await post('/v1/orders', { quote: token, paymentMethod: 'pm_card_ok' })
  expect([again.status, again.body.code, again.body.orderId]).toEqual([409, 'quote_used', order.id])
})

test('when the price changes, the quote is stale, and an order from it is told the new total', async () => {
  const { sku, productId } = await addProduct('REPRICED', 1_250)
  const { quoteId, token } = await askForQuote(sku)
  const repriced = await merchant.client.catalog.setPrice({ productId, priceMinor: 1_300, currency: 'EUR' })
  await settledStory(merchant.client, repriced.id, 20_000)
  expect(await buyer.client.orders.getQuote(quoteId)).toMatchObject({ state: 'stale', totalMinor: 3_750 })
  const { status, body } = await post('/v1/orders', { quote: token, paymentMethod: 'pm_card_ok' })
  expect([status, body.code, body.totalMinor, body.currency]).toEqual([409, 'price_changed', 3_900, 'EUR'])
})

test('422 for an order from both lines and a quote, or from neither: the answer names the field', async () => {
  const lines = [{ sku: 'QUOTED', quantity: 1 }]
  const paymentMethod = 'pm_card_ok'
  const detail = 'Expected exactly one of lines, quote.'
  for (const [input, pointer] of [
    [{ paymentMethod }, '#/lines'],
    [{ lines, quote: 'token', paymentMethod }, '#/quote'],
  ] as const) {
    const { status, body } = await post('/v1/orders', input)
    expect([status, body.code, body.errors]).toEqual([422, 'validation_failed', [{ pointer, detail }]])
  }
  const document = await (await overHttp('/openapi.json')).json()
  const { schema } = document.paths['/v1/orders'].post.requestBody.content['application/json']
  expect(schema).toMatchObject({
    oneOf: [{ required: ['lines'] }, { required: ['quote'] }],
    required: ['paymentMethod'],
  })
})
