import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { createProduct, setPrice, setStock } from '../../queues/catalog.ts'
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
const product = () => ({ sku: `SKU-${++skus}`, title: 'Tea', priceMinor: 350, currency: 'EUR', onHand: 10 })
const added = async () => {
  const input = product()
  return { ...input, productId: (await kernel.run(createProduct, input)).id }
}
const get = async (path: string) => {
  const answer = await kernel.services.routesOf('catalog').handle(new Request(`http://catalog.test${path}`))
  return { status: answer.status, body: await answer.json() }
}
const eventsOf = async (command: string) =>
  (await kernel.story(command)).events.map(({ type, payload }) => ({ type, payload }))

describe('catalog.create-product', () => {
  test('the product can be read by anybody, under the id of its command', async () => {
    const input = product()
    const { id, result } = await kernel.run(createProduct, input)
    expect(result).toEqual({ productId: id, sku: input.sku })
    const { onHand, ...rest } = input
    expect(await get(`/products/${id}`)).toMatchObject({
      status: 200,
      body: { ...rest, id, available: onHand },
    })
  })
  test('a SKU belongs to one product, also when ten ask for it at once', async () => {
    const input = product()
    const all = await Promise.all(Array.from({ length: 10 }, () => kernel.run(createProduct, input)))
    expect(all.map(each => each.state).sort()).toEqual([...Array(9).fill('rejected'), 'succeeded'])
    const refused = all.find(each => each.state === 'rejected')
    expect(refused?.result).toEqual({ code: 'sku_taken', detail: null })
  })
})

describe('catalog.set-price', () => {
  test('the new price is told and read', async () => {
    const { productId, sku } = await added()
    const price = { productId, priceMinor: 999, currency: 'USD' }
    const { id, result } = await kernel.run(setPrice, price)
    expect(result).toEqual(price)
    expect(await eventsOf(id)).toEqual([{ type: 'product.price-changed', payload: { ...price, sku } }])
    expect((await get(`/products/${productId}`)).body).toMatchObject({ priceMinor: 999, currency: 'USD' })
  })
  test('of no product is refused', async () => {
    const { state, result } = await kernel.run(setPrice, {
      productId: uuidv7(),
      priceMinor: 1,
      currency: 'EUR',
    })
    expect([state, result]).toEqual(['rejected', { code: 'product_not_found', detail: null }])
  })
})

describe('catalog.set-stock', () => {
  test('the pieces on hand are what was counted', async () => {
    const { productId, sku } = await added()
    const { id, result } = await kernel.run(setStock, { productId, onHand: 3 })
    expect(result).toEqual({ productId, onHand: 3, reserved: 0, available: 3 })
    const told = { productId, sku, onHand: 3, available: 3 }
    expect(await eventsOf(id)).toEqual([{ type: 'product.stock-changed', payload: told }])
  })
  test('never falls below what is reserved, and says how much that is', async () => {
    const { productId, sku } = await added()
    const order = kernel.sql.json([{ orderId: uuidv7(), lines: [{ sku, quantity: 4 }] }])
    await kernel.sql`select * from catalog.reserve(${order})`
    const tooFew = await kernel.run(setStock, { productId, onHand: 3 })
    expect([tooFew.state, tooFew.result]).toEqual([
      'rejected',
      { code: 'below_reserved', detail: { reserved: 4 } },
    ])
    const enough = await kernel.run(setStock, { productId, onHand: 4 })
    expect(enough.result).toEqual({ productId, onHand: 4, reserved: 4, available: 0 })
  })
  test('of no product is refused', async () => {
    const { result } = await kernel.run(setStock, { productId: uuidv7(), onHand: 1 })
    expect(result).toEqual({ code: 'product_not_found', detail: null })
  })
})

describe('twice is once', () => {
  const sql = () => kernel.database.sql('catalog')

  test('catalog.create-product', async () => {
    const job = jobOf<typeof createProduct>({ ...product(), categories: ['Tea', 'Gifts'] })
    const pool = sql()
    const first = outputOf(await carryOut(pool, await handlers['catalog.create-product'](job)))
    const before = await dump(kernel.sql)
    const second = outputOf(await carryOut(pool, await handlers['catalog.create-product'](job)))
    expect([second, await dump(kernel.sql)]).toEqual([first, before])
  })
  test('catalog.set-price and catalog.set-stock', async () => {
    const { productId } = await added()
    const price = jobOf<typeof setPrice>({ productId, priceMinor: 5, currency: 'EUR' })
    const stock = jobOf<typeof setStock>({ productId, onHand: 5 })
    const pool = sql()
    const carryOutBoth = async () => [
      outputOf(await carryOut(pool, await handlers['catalog.set-price'](price))),
      outputOf(await carryOut(pool, await handlers['catalog.set-stock'](stock))),
    ]
    const first = await carryOutBoth()
    const before = await dump(kernel.sql)
    expect([await carryOutBoth(), await dump(kernel.sql)]).toEqual([first, before])
  })
})

describe('reads', () => {
  test('pages of products, newest first, hold each product once', async () => {
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.unshift((await added()).productId)
    const seen: string[] = []
    let next = '/products?limit=2'
    while (seen.length < ids.length) {
      const { body } = await get(next)
      expect(body.items.length).toBeLessThanOrEqual(2)
      seen.push(...body.items.map((item: { id: string }) => item.id))
      next = `/products?limit=2&cursor=${body.nextCursor}`
    }
    expect(seen.slice(0, 5)).toEqual(ids)
  })
  test('the last page says so', async () => {
    const { body } = await get('/products?limit=100')
    expect(body.nextCursor).toBeNull()
    const { body: first } = await get(`/products?limit=${body.items.length}`)
    expect(first.nextCursor).toBeNull()
  })
  test('404 for an unknown id, 422 for what is no id, no cursor or no page size', async () => {
    expect(await get(`/products/${uuidv7()}`)).toEqual({ status: 404, body: { code: 'not_found' } })
    for (const path of ['/products/1', '/products?cursor=x', '/products?limit=0', '/products?limit=101']) {
      expect(await get(path)).toEqual({ status: 422, body: { code: 'invalid_request' } })
    }
  })
})
