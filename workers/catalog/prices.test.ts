import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { createProduct, type Price, setPrice } from '../../queues/catalog.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { carryOut, dump, jobOf, outputOf } from '../../test/trade.ts'
import { handlers } from './commands.ts'
import { catalogService } from './index.ts'

let kernel: TestKernel
beforeAll(async () => {
  kernel = await testKernel({ services: [catalogService] })
})
afterAll(() => kernel.stop())

let skus = 0
const added = async (priceMinor = 100) =>
  (
    await kernel.run(createProduct, {
      sku: `SKU-${++skus}`,
      title: 'Tea',
      priceMinor,
      currency: 'EUR',
      onHand: 1,
    })
  ).id
const set = (productId: string, priceMinor: number, currency = 'EUR') =>
  kernel.run(setPrice, { productId, priceMinor, currency })
const get = async (path: string) => {
  const answer = await kernel.services.routesOf('catalog').handle(new Request(`http://catalog.test${path}`))
  return { status: answer.status, body: await answer.json() }
}
const pricesOf = async (id: string): Promise<Price[]> =>
  (await get(`/products/${id}/prices?limit=100`)).body.items
const toldBy = async (command: string) => (await kernel.story(command)).events.map(({ type }) => type)

describe('the history of prices', () => {
  test('has every price, newest first, with when and by which command; the first is that of the creation', async () => {
    const id = await added(100)
    const raised = await set(id, 120)
    const dollars = await set(id, 120, 'USD')
    const back = await set(id, 100)
    const prices = await pricesOf(id)
    expect(prices.map(({ since, ...rest }) => rest)).toEqual([
      { version: 4, priceMinor: 100, currency: 'EUR', commandId: back.id },
      { version: 3, priceMinor: 120, currency: 'USD', commandId: dollars.id },
      { version: 2, priceMinor: 120, currency: 'EUR', commandId: raised.id },
      { version: 1, priceMinor: 100, currency: 'EUR', commandId: id },
    ])
    const times = prices.map(({ since }) => Date.parse(since))
    expect(times).toEqual(times.toSorted((a, b) => b - a))
    expect(prices.at(-1)?.since).toBe((await get(`/products/${id}`)).body.createdAt)
  })
  test('comes in pages that hold each price once, also while the price changes', async () => {
    const id = await added(1)
    for (const price of [2, 3, 4, 5]) await set(id, price)
    const first = (await get(`/products/${id}/prices?limit=2`)).body
    await set(id, 6)
    const second = (await get(`/products/${id}/prices?limit=2&cursor=${first.nextCursor}`)).body
    const third = (await get(`/products/${id}/prices?limit=2&cursor=${second.nextCursor}`)).body
    const seen = [first, second, third].flatMap(page => page.items.map((each: Price) => each.priceMinor))
    expect([seen, third.nextCursor]).toEqual([[5, 4, 3, 2, 1], null])
    expect((await get(`/products/${id}/prices?cursor=1`)).body).toEqual({ items: [], nextCursor: null })
  })
  test('404 of no product, 422 for what is no version', async () => {
    expect(await get(`/products/${uuidv7()}/prices`)).toEqual({ status: 404, body: { code: 'not_found' } })
    for (const cursor of ['x', '0', '-1', '1.5', '99999999999'])
      expect((await get(`/products/${uuidv7()}/prices?cursor=${cursor}`)).status).toBe(422)
  })
  test('nothing of it can be changed or removed by the service', async () => {
    const sql = kernel.database.sql('catalog')
    for (const statement of ['update catalog.prices set price_minor = 1', 'delete from catalog.prices'])
      await expect(sql.unsafe(statement).execute()).rejects.toThrow(/permission denied/)
  })
})

describe('a price that the product has already', () => {
  test('changes nothing and tells nobody', async () => {
    const id = await added(100)
    const before = await dump(kernel.sql)
    const same = await set(id, 100)
    expect([same.state, same.result]).toEqual([
      'succeeded',
      { productId: id, priceMinor: 100, currency: 'EUR' },
    ])
    expect([await dump(kernel.sql), await toldBy(same.id)]).toEqual([before, []])
  })
  test('is told once when twenty set it at the same time', async () => {
    const id = await added(100)
    const all = await Promise.all(Array.from({ length: 20 }, () => set(id, 150)))
    const told = await Promise.all(all.map(each => toldBy(each.id)))
    expect(told.flat()).toEqual(['product.price-changed'])
    expect((await pricesOf(id)).map(each => each.priceMinor)).toEqual([150, 100])
  })
})

test('prices set at the same time follow each other without a gap, and the newest is the price of the product', async () => {
  const id = await added(100)
  await Promise.all(Array.from({ length: 20 }, (_, n) => set(id, 200 + n)))
  const prices = await pricesOf(id)
  expect(prices.map(each => each.version)).toEqual(Array.from({ length: 21 }, (_, n) => 21 - n))
  expect(new Set(prices.map(each => each.priceMinor)).size).toBe(21)
  const times = prices.map(({ since }) => Date.parse(since))
  expect(times).toEqual(times.toSorted((a, b) => b - a))
  expect((await get(`/products/${id}`)).body.priceMinor).toBe(prices[0]?.priceMinor)
})

test('twice is once: catalog.set-price', async () => {
  const job = jobOf<typeof setPrice>({ productId: await added(100), priceMinor: 150, currency: 'EUR' })
  const sql = kernel.database.sql('catalog')
  const setIt = async () => outputOf(await carryOut(sql, await handlers['catalog.set-price'](job)))
  const first = await setIt()
  const before = await dump(kernel.sql)
  expect([await setIt(), await dump(kernel.sql)]).toEqual([first, before])
})
