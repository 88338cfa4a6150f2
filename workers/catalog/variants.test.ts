import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import {
  createProduct,
  createVariant,
  type Product,
  setCategories,
  setPrice,
  setStock,
  updateProduct,
} from '../../queues/catalog.ts'
import type { InputOf } from '../../queues/command.ts'
import { createStore } from '../../queues/stores.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { broken, carryOut, dump, jobOf, outputOf } from '../../test/trade.ts'
import { handlers } from './commands.ts'
import { catalogService } from './index.ts'

let kernel: TestKernel
beforeAll(async () => {
  kernel = await testKernel({ services: [catalogService] })
})
afterAll(async () => {
  expect(await broken(kernel.sql)).toEqual([])
  await kernel.stop()
})

let skus = 0
const nextSku = () => `SHIRT-${++skus}`
const shirt = async (more: Partial<InputOf<typeof createProduct>> = {}) => {
  const input = { sku: nextSku(), title: 'Shirt', priceMinor: 1_900, currency: 'EUR', onHand: 3, ...more }
  return (await kernel.run(createProduct, input)).id
}
type NewVariant = InputOf<typeof createVariant>
const variantOf = (productId: string, options: Record<string, string>, more: Partial<NewVariant> = {}) => ({
  productId,
  sku: nextSku(),
  options,
  priceMinor: 2_100,
  onHand: 7,
  ...more,
})
const add = (...input: Parameters<typeof variantOf>) => kernel.run(createVariant, variantOf(...input))
const ask = async (path: string) => {
  const answer = await kernel.services.routesOf('catalog').handle(new Request(`http://catalog.test${path}`))
  return { status: answer.status, body: await answer.json() }
}
const read = async (id: string): Promise<Product> => (await ask(`/products/${id}`)).body
const idsOf = async (query: Readonly<Record<string, string>>) =>
  (await ask(`/products?${new URLSearchParams(query)}`)).body.items.map((each: Product) => each.id)

describe('catalog.create-variant', () => {
  test('its product shows it, and it is a product of its own with its price and stock', async () => {
    const { id: storeId } = await kernel.run(createStore, {
      kind: 'shop',
      name: 'Shirts',
      address: { line1: 'Rue 1', city: 'Paris', postalCode: '75001', country: 'FR' },
      timeZone: 'Europe/Paris',
    })
    const productId = await shirt({ storeId, weightG: 200, taxClass: 'reduced', categories: ['Clothes'] })
    const options = { size: 'M', colour: 'blue' }
    const input = variantOf(productId, options)
    const { id, result } = await kernel.run(createVariant, input)
    expect(result).toEqual({ variantId: id, productId, sku: input.sku })

    const own = {
      id,
      sku: input.sku,
      priceMinor: 2_100,
      currency: 'EUR',
      weightG: 200,
      available: 7,
      options,
    }
    const product = await read(productId)
    expect(product).toMatchObject({ variantOf: null, options: null, variants: [own] })
    expect(await read(id)).toMatchObject({
      ...own,
      title: 'Shirt (blue, M)',
      storeId,
      taxClass: 'reduced',
      variantOf: productId,
      variants: [],
    })
    expect((await ask(`/products/${id}/prices`)).body.items).toMatchObject([
      { version: 1, priceMinor: 2_100, currency: 'EUR', commandId: id },
    ])
    await kernel.run(setStock, { productId: id, onHand: 5 })
    await kernel.run(setPrice, { productId: id, priceMinor: 2_200, currency: 'EUR' })
    expect((await read(productId)).variants).toMatchObject([{ available: 5, priceMinor: 2_200 }])
    expect(await read(productId)).toMatchObject({ available: 3, priceMinor: 1_900 })
  })
  test('is sold by its SKU, under its own title', async () => {
    const productId = await shirt({ title: 'Mug' })
    const input = variantOf(productId, { size: 'XL' }, { onHand: 1 })
    await kernel.run(createVariant, input)
    const orders = kernel.database.sql('orders')
    const asked = orders.json([{ orderId: uuidv7(), lines: [{ sku: input.sku, quantity: 1 }] }])
    const [line] = await orders`select title, unit_price_minor, enough from catalog.reserve(${asked})`
    expect(line).toEqual({ title: 'Mug (XL)', unit_price_minor: 2_100, enough: true })
    expect((await read(productId)).variants).toMatchObject([{ available: 0 }])
    expect(await read(productId)).toMatchObject({ available: 3 })
  })
  test('the same options twice are refused, in whatever order, also when ten ask at once', async () => {
    const productId = await shirt()
    const { id } = await add(productId, { size: 'M', colour: 'blue' })
    const again = await add(productId, { colour: 'blue', size: 'M' })
    expect([again.state, again.result]).toEqual([
      'rejected',
      { code: 'variant_exists', detail: { variantId: id } },
    ])
    const all = await Promise.all(Array.from({ length: 10 }, () => add(productId, { size: 'L' })))
    expect(all.filter(each => each.state === 'succeeded').length).toBe(1)
    expect((await read(productId)).variants.length).toBe(2)
    const other = await shirt()
    expect((await add(other, { size: 'M', colour: 'blue' })).state).toBe('succeeded')
  })
  test('is refused for a variant, for nothing, for a SKU that is taken, and beyond a hundred', async () => {
    const productId = await shirt()
    const { id } = await add(productId, { size: 'S' })
    const before = await dump(kernel.sql)
    expect((await add(id, { size: 'S' })).result).toEqual({ code: 'is_variant', detail: { productId } })
    expect((await add(uuidv7(), { size: 'S' })).result).toMatchObject({ code: 'product_not_found' })
    const { sku } = await read(productId)
    expect((await add(productId, { size: 'M' }, { sku })).result).toEqual({ code: 'sku_taken', detail: null })
    expect(await dump(kernel.sql)).toEqual(before)
    const many = await shirt()
    await Promise.all(Array.from({ length: 105 }, (_, n) => add(many, { size: String(n) })))
    expect((await read(many)).variants.length).toBe(100)
    expect((await add(many, { size: 'more' })).result).toEqual({ code: 'too_many_variants', detail: null })
  })
})

describe('what a product and its variants share', () => {
  test('the currency: another is refused for each of them, and a product without variants may change its own', async () => {
    const productId = await shirt()
    const { id } = await add(productId, { size: 'M' })
    for (const each of [productId, id])
      expect(
        (await kernel.run(setPrice, { productId: each, priceMinor: 1, currency: 'USD' })).result,
      ).toEqual({
        code: 'other_currency',
        detail: { currency: 'EUR' },
      })
    const alone = await shirt()
    expect((await kernel.run(setPrice, { productId: alone, priceMinor: 1, currency: 'USD' })).state).toBe(
      'succeeded',
    )
  })
  test('the currency, also when it changes while variants come', async () => {
    for (let round = 0; round < 10; round++) {
      const productId = await shirt()
      await Promise.all([
        kernel.run(setPrice, { productId, priceMinor: 1, currency: 'USD' }),
        add(productId, { size: 'M' }),
        add(productId, { size: 'L' }),
      ])
      const { currency, variants } = await read(productId)
      expect(variants.map(each => each.currency)).toEqual([currency, currency])
    }
  })
  test('the categories: a variant has none of its own', async () => {
    const productId = await shirt({ categories: ['Tops'] })
    const { id } = await add(productId, { size: 'M' })
    const refused = await kernel.run(setCategories, { productId: id, categories: ['Other'] })
    expect(refused.result).toEqual({ code: 'is_variant', detail: { productId } })
    expect(await idsOf({ category: 'Tops' })).toEqual([productId])
  })
})

describe('catalog.update-product', () => {
  test('changes what is given; title and tax class of its variants follow', async () => {
    const productId = await shirt({ weightG: 100, description: 'Cotton.\nMade in Portugal.' })
    const { id } = await add(productId, { size: 'M' })
    const { result } = await kernel.run(updateProduct, { productId, title: 'Tee', taxClass: 'zero' })
    const now = { title: 'Tee', description: 'Cotton.\nMade in Portugal.', weightG: 100, taxClass: 'zero' }
    expect(result).toEqual({ productId, ...now })
    expect(await read(productId)).toMatchObject(now)
    expect(await read(id)).toMatchObject({ title: 'Tee (M)', taxClass: 'zero', weightG: 100 })
    await kernel.run(updateProduct, { productId, description: '', weightG: 0 })
    expect(await read(productId)).toMatchObject({ title: 'Tee', description: '', weightG: 0 })
  })
  test('of a variant changes its weight and nothing else', async () => {
    const productId = await shirt()
    const { id } = await add(productId, { size: 'M' })
    expect((await kernel.run(updateProduct, { productId: id, weightG: 250 })).result).toMatchObject({
      weightG: 250,
    })
    for (const more of [{ title: 'A' }, { description: '' }, { taxClass: 'zero' as const }])
      expect((await kernel.run(updateProduct, { productId: id, weightG: 1, ...more })).result).toEqual({
        code: 'is_variant',
        detail: { productId },
      })
    expect(await read(id)).toMatchObject({ weightG: 250, title: 'Shirt (M)' })
  })
  test('of no product is refused', async () => {
    const { result } = await kernel.run(updateProduct, { productId: uuidv7(), title: 'A' })
    expect(result).toEqual({ code: 'product_not_found', detail: null })
  })
  test('reaches variants that come at the same time', async () => {
    const productId = await shirt()
    const sizes = Array.from({ length: 8 }, (_, n) => add(productId, { size: `${n}` }))
    await Promise.all([...sizes, kernel.run(updateProduct, { productId, title: 'Renamed' })])
    const { variants } = await read(productId)
    const titles = await Promise.all(variants.map(async each => (await read(each.id)).title))
    expect(titles.sort()).toEqual(variants.map((_, n) => `Renamed (${n})`))
  })
})

describe('a list shows a product once', () => {
  test('whichever of its variants is found, by SKU, option or title', async () => {
    const productId = await shirt({ title: 'Anorak' })
    const { result } = await add(productId, { size: 'Gigantic', colour: 'Türkis' })
    await add(productId, { size: 'Gigantic', colour: 'Ochre' })
    const { sku } = result as { sku: string }
    for (const query of [
      { q: 'gigantic' },
      { q: 'anorak' },
      { q: 'anorak turk' },
      { q: sku.toLowerCase() },
      { sku },
    ])
      expect([query, await idsOf(query)]).toEqual([query, [productId]])
    expect(await idsOf({ q: 'turkis ochre' })).toEqual([])
    const { body } = await ask('/products?limit=100')
    const ids = body.items.map((each: Product) => each.id)
    expect(ids).toContain(productId)
    expect(ids.length).toBe(new Set(ids).size)
    expect(body.items.every((each: Product) => each.variantOf === null)).toBe(true)
  })
  test('of its store, and of no other', async () => {
    const open = (name: string) =>
      kernel.run(createStore, {
        kind: 'shop',
        name,
        address: { line1: '1', city: 'C', postalCode: '1', country: 'DE' },
        timeZone: 'UTC',
      })
    const [here, there] = [(await open('Here')).id, (await open('There')).id]
    const inStore = (storeId: string) => shirt({ storeId, title: 'Parasol', categories: ['Garden'] })
    const ours = [await inStore(here), await inStore(here)].reverse()
    const theirs = await inStore(there)
    await add(theirs, { size: 'Wide' })
    for (const more of [{}, { category: 'Garden' }, { q: 'parasol' }, { q: 'para', category: 'Garden' }])
      expect(await idsOf({ storeId: here, ...more })).toEqual(ours)
    expect(await idsOf({ storeId: there, q: 'wide' })).toEqual([theirs])
    expect(await idsOf({ storeId: here, q: 'wide' })).toEqual([])
    expect(await idsOf({ storeId: uuidv7() })).toEqual([])
  })
})

test('twice is once: catalog.create-variant, catalog.update-product', async () => {
  const sql = kernel.database.sql('catalog')
  const productId = await shirt()
  const variant = jobOf<typeof createVariant>(variantOf(productId, { size: 'M' }))
  const update = jobOf<typeof updateProduct>({ productId, title: 'Twice', weightG: 3 })
  const both = async () => [
    outputOf(await carryOut(sql, await handlers['catalog.create-variant'](variant))),
    outputOf(await carryOut(sql, await handlers['catalog.update-product'](update))),
  ]
  const first = await both()
  const before = await dump(kernel.sql)
  expect([await both(), await dump(kernel.sql)]).toEqual([first, before])
})
