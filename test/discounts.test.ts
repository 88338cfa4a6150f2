import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
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

const overHttp = async (request: Request) => {
  const { pathname, search } = new URL(request.url)
  const body = request.method === 'GET' ? null : await request.text()
  const { method, headers } = request
  return fetch(new URL(`${pathname}${search}`, shop.url), { method, headers, body })
}
const post = (path: string, body: unknown, token = buyer.token) =>
  ask(overHttp, 'POST', path, {
    token,
    key: crypto.randomUUID(),
    headers: { prefer: 'wait=20' },
    body,
  })
const get = (path: string, token: string) => ask(overHttp, 'GET', path, { token })

interface Settled {
  readonly state: string
}
const succeeded = <T extends Settled>(settled: T): Extract<T, { state: 'succeeded' }> => {
  if (settled.state !== 'succeeded') throw new Error(JSON.stringify(settled))
  return settled as Extract<T, { state: 'succeeded' }>
}
const address = { line1: 'Torstraße 1', city: 'Berlin', postalCode: '10119', country: 'DE' }
/** A shop in Germany with one thing for 24.99 that is sent for 6.44. */
async function anOffer(sku: string) {
  const { client } = merchant
  const opened = await client.catalog.createStore({ kind: 'shop', name: 'Tea', address, timeZone: 'UTC' })
  const { storeId } = succeeded(await opened.wait()).output
  const rates = [
    { country: 'US', taxClass: 'standard', ratePpm: 107_500, name: 'Sales tax' },
    { country: 'US', taxClass: 'shipping', ratePpm: 0, name: 'Sales tax' },
  ] as const
  const taxes = await client.catalog.setTaxRates({ storeId, pricesIncludeTax: false, rates: [...rates] })
  succeeded(await taxes.wait())
  const product = { sku, title: 'Tea', priceMinor: 2_499, currency: 'EUR', onHand: 10, weightG: 500, storeId }
  succeeded(await (await client.catalog.createProduct(product)).wait())
  const bands = [{ upToG: 10_000, amountMinor: 644 }]
  const services = [{ name: 'Standard', countries: ['*'], bands, currency: 'EUR', etaDays: 3 }]
  succeeded(await (await client.shipping.setTableRates({ storeId, services })).wait())
  return storeId
}
const createDiscount = async (input: object) => {
  const { status, body } = await post('/v1/discounts', input, merchant.token)
  expect([status, body]).toEqual([200, expect.objectContaining({ state: 'succeeded' })])
}

test('a quote has discount, shipping and tax in it, and its order is paid at that total', async () => {
  const storeId = await anOffer('WHOLE')
  const lines = [{ sku: 'WHOLE', quantity: 1 }]
  const destination = { name: 'Some Buyer', ...address, city: 'Boston', country: 'US' }
  const asked = await buyer.client.shipping.findRates({ lines, destination })
  const [rate] = succeeded(await asked.wait()).output.rates
  const shippingRateId = rate?.rateId ?? ''
  const plain = await buyer.client.orders.quote({ lines, shippingRateId })
  const sums = { goodsMinor: 2_499, shippingMinor: 644, taxMinor: 269, totalMinor: 3_412 }
  expect(succeeded(await plain.wait()).output).toMatchObject({ ...sums, storeId, pricesIncludeTax: false })

  await createDiscount({ code: 'WELCOME10', ratePpm: 100_000, storeId, usesPerCustomerMax: 1 })
  const wish = { lines, shippingRateId, discountCode: 'WELCOME10' }
  const { output } = succeeded(await (await buyer.client.orders.quote(wish)).wait())
  const less = { discountMinor: 250, taxMinor: 242, totalMinor: 2_499 - 250 + 644 + 242 }
  expect(output).toMatchObject({ goodsMinor: 2_499, shippingMinor: 644, ...less })
  const order = await buyer.client.orders.place({ quote: output.token, paymentMethod: 'pm_card_ok' })
  await settledStory(buyer.client, order.id, 20_000)
  const told = await buyer.client.orders.get(order.id)
  expect(told).toMatchObject({ state: 'paid', ...less, discountCode: 'WELCOME10', storeId })
  expect(told.shipping).toEqual(output.shipping)
  expect(told.shipping?.destination).toEqual(destination)

  const again = await post('/v1/orders', { ...wish, paymentMethod: 'pm_card_ok' })
  expect([again.status, again.body.code]).toEqual([409, 'discount_used_up'])
  expect(await merchant.client.orders.getDiscount('WELCOME10')).toMatchObject({ uses: 1, storeId })
})

describe('a refusal says what would do', () => {
  const order = (given: object) =>
    post('/v1/orders', { lines: [{ sku: 'REFUSED', quantity: 1 }], paymentMethod: 'pm_card_ok', ...given })
  beforeAll(async () => {
    await anOffer('REFUSED')
  })
  test('409 discount_not_applicable: with the least that the goods must cost', async () => {
    const minGoodsMinor = 5_000
    await createDiscount({ code: 'MUCH', amountMinor: 500, currency: 'EUR', minGoodsMinor })
    const { status, body } = await order({ discountCode: 'MUCH' })
    expect([status, body.code, body.because, body.minGoodsMinor]).toEqual([
      409,
      'discount_not_applicable',
      'too_few_goods',
      minGoodsMinor,
    ])
  })
  test('422 for a code or a rate that is not there, and for an input that names no code', async () => {
    const code = async (given: object) => {
      const { status, body } = await order(given)
      return [status, body.code]
    }
    expect(await code({ discountCode: 'NO-SUCH' })).toEqual([422, 'discount_unknown'])
    expect(await code({ shippingRateId: crypto.randomUUID() })).toEqual([422, 'rate_invalid'])
    const { status, body } = await order({ discountCode: 'small' })
    expect([status, body.code, (body.errors as { pointer: string }[])[0]?.pointer]).toEqual([
      422,
      'validation_failed',
      '#/discountCode',
    ])
  })
})

describe('discounts are for merchants', () => {
  test('403 for customers, who only enter their codes', async () => {
    await createDiscount({ code: 'SECRET', ratePpm: 1 })
    const refused = [
      await post('/v1/discounts', { code: 'MINE', ratePpm: 1_000_000 }),
      await post('/v1/discounts/SECRET/end', {}),
      await get('/v1/discounts', buyer.token),
      await get('/v1/discounts/SECRET', buyer.token),
    ]
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403])
  })
  test('they are listed, read and ended; 404 for what is not there', async () => {
    await createDiscount({ code: 'SHORT', ratePpm: 1 })
    const { items } = await merchant.client.orders.listDiscounts({ limit: 1 })
    expect(items).toMatchObject([{ code: 'SHORT', endsAt: null }])
    const ended = succeeded(await (await merchant.client.orders.endDiscount({ code: 'SHORT' })).wait())
    const { endsAt } = ended.output
    expect(await merchant.client.orders.getDiscount('SHORT')).toMatchObject({ endsAt })
    expect((await get('/v1/discounts/NO-SUCH', merchant.token)).status).toBe(404)
    expect((await post('/v1/discounts/NO-SUCH/end', {}, merchant.token)).status).toBe(404)
  })
  test('422 for both a part and an amount, or neither', async () => {
    for (const given of [{}, { ratePpm: 1, amountMinor: 1, currency: 'EUR' }])
      expect((await post('/v1/discounts', { code: 'ODD', ...given }, merchant.token)).status).toBe(422)
  })
})
