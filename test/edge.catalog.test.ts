import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { v7 as uuidv7 } from 'uuid'
import { createClient } from '../client/client.ts'
import { createEnqueuer, type Enqueuer } from '../queues/enqueue.ts'
import { catalogService } from '../workers/catalog/index.ts'
import { merchant, type TestEdge, testEdge } from './edge-harness.ts'
import { type TestKernel, testKernel, testLog } from './harness.ts'

let kernel: TestKernel
let enqueuer: Enqueuer
let edge: TestEdge
let token: string
beforeAll(async () => {
  kernel = await testKernel({ services: [catalogService] })
  enqueuer = createEnqueuer(kernel.redis, testLog)
  const upstreams = { catalog: kernel.services.routesOf('catalog') }
  const settings = { CORS_ORIGINS: 'https://shop.example.com' }
  edge = await testEdge({ database: kernel.database, enqueuer, upstreams, settings })
  token = await edge.tokenFor(merchant())
})
afterAll(async () => {
  await enqueuer.close()
  await kernel.stop()
})

const shop = () =>
  createClient({
    baseUrl: 'http://edge.test',
    token,
    fetch: async (url, init) => edge.edge.fetch(new Request(url, init)),
  }).catalog

let skus = 0
async function add(title: string, categories?: string[]) {
  const product = { sku: `EDGE-${++skus}`, title, priceMinor: 500, currency: 'EUR', onHand: 5 }
  const asked = await shop().createProduct({ ...product, ...(categories && { categories }) })
  const settled = await asked.wait()
  if (settled.state !== 'succeeded') throw new Error(`not created: ${JSON.stringify(settled)}`)
  return settled.output
}
const setPrice = async (productId: string, priceMinor: number) => {
  const asked = await shop().setPrice({ productId, priceMinor, currency: 'EUR' })
  expect((await asked.wait()).state).toBe('succeeded')
  return asked.id
}
const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
  edge.ask('GET', path, { headers })

describe('a merchant and a buyer', () => {
  test('add, sort and price a product, and find it by words, category and SKU with its prices', async () => {
    const { productId, sku } = await add('Crème brûlée, 2 × 100 g', ['Desserts'])
    const sorted = await shop().setCategories({ productId, categories: ['Sweets & more', 'Chilled'] })
    expect(await sorted.wait()).toMatchObject({ state: 'succeeded', output: { productId } })
    const changed = await setPrice(productId, 550)

    for (const filter of [
      { q: 'creme brul' },
      { q: sku.toLowerCase() },
      { category: 'Sweets & more' },
      { sku },
      { q: '100 g', category: 'Chilled', sku },
    ]) {
      const { items, nextCursor } = await shop().listProducts(filter)
      expect([filter, nextCursor, items.map(each => each.id)]).toEqual([filter, null, [productId]])
      expect(items[0]).toMatchObject({ priceMinor: 550, categories: ['Chilled', 'Sweets & more'] })
    }
    expect((await shop().listProducts({ category: 'Desserts' })).items).toEqual([])
    const prices = await shop().listPrices(productId)
    expect(prices.items.map(each => [each.priceMinor, each.commandId])).toEqual([
      [550, changed],
      [500, productId],
    ])
    const { items, nextCursor } = await shop().listPrices(productId, { limit: 1 })
    const rest = await shop().listPrices(productId, { limit: 1, cursor: String(nextCursor) })
    expect([...items, ...rest.items, rest.nextCursor]).toEqual([...prices.items, null])
  })

  test('page through what was found, each product once, while products are added', async () => {
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.unshift((await add('Flipbook')).productId)
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page = await shop().listProducts({ q: 'flip', limit: 2, ...(cursor && { cursor }) })
      seen.push(...page.items.map(each => each.id))
      cursor = page.nextCursor
      await add('Flipbook')
    } while (cursor)
    expect(seen).toEqual(ids)
  })
})

describe('a read of the catalog', () => {
  test.each(['/v1/products?category=Kept', '/v1/products/{id}', '/v1/products/{id}/prices'])(
    '%s is 304 without a body while nothing has changed, and 200 after a change of price',
    async template => {
      const { productId } = await add('Kept', ['Kept'])
      const path = template.replace('{id}', productId)
      const first = await get(path)
      const tag = first.headers.get('etag') ?? ''
      expect([first.status, tag]).toEqual([200, expect.stringMatching(/^W\/"[\w-]+"$/)])
      expect(first.headers.get('cache-control')).toBe('public, max-age=0, must-revalidate')

      for (const known of [tag, tag.slice(2), `"other", ${tag}`, '*']) {
        const same = await get(path, { 'if-none-match': known, origin: 'https://shop.example.com' })
        expect([known, same.status, same.body]).toEqual([known, 304, { text: '' }])
        expect(same.headers.get('etag')).toBe(tag)
        expect(same.headers.get('cache-control')).toBe('public, max-age=0, must-revalidate')
        expect(same.headers.get('access-control-allow-origin')).toBe('https://shop.example.com')
        expect(same.headers.get('access-control-expose-headers')).toContain('etag')
        expect(same.headers.get('x-content-type-options')).toBe('nosniff')
      }
      for (const known of ['', '"other"', tag.slice(3, -1)])
        expect((await get(path, { 'if-none-match': known })).status).toBe(200)

      await setPrice(productId, 999)
      const changed = await get(path, { 'if-none-match': tag })
      expect(changed.status).toBe(200)
      expect(JSON.stringify(changed.body)).toContain('"priceMinor":999')
      expect(changed.headers.get('etag')).not.toBe(tag)
    },
  )
  test('that finds nothing is a problem, which nobody may keep', async () => {
    for (const path of [`/v1/products/${uuidv7()}`, `/v1/products/${uuidv7()}/prices`]) {
      const { status, headers } = await get(path, { 'if-none-match': '*' })
      expect([status, headers.get('etag'), headers.get('cache-control')]).toEqual([404, null, 'no-store'])
    }
  })
  test('names the parameter that is wrong', async () => {
    const wrong = {
      q: ['', 'x'.repeat(101), '%00'],
      category: ['', '%20Tea', 'a%0Ab', '%E2%80%AEaet'],
      sku: ['tea', ''],
      limit: ['0', '101', 'x'],
      cursor: ['x'],
      colour: ['red'],
    }
    for (const [parameter, values] of Object.entries(wrong))
      for (const value of values) {
        const { status, body } = await get(`/v1/products?${parameter}=${value}`)
        expect([parameter, value, status, body.code]).toEqual([parameter, value, 400, 'invalid_parameter'])
        expect(body.errors).toMatchObject([{ parameter }])
      }
  })
  test('takes any words to search for, and never breaks over them', async () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).map(each => each.toWellFormed())
    await fc.assert(
      fc.asyncProperty(text, async q => {
        const { status } = await get(`/v1/products?${new URLSearchParams({ q, limit: '1' })}`)
        expect(status).toBe(q.includes('\0') || q.length > 100 ? 400 : 200)
      }),
      { numRuns: 300 },
    )
  })
})

describe('a title or category that hides something', () => {
  test('is refused, and the field is named', async () => {
    const key = () => uuidv7()
    const product = { sku: 'HIDDEN', title: 'Tea', priceMinor: 1, currency: 'EUR', onHand: 1 }
    const hiding = ['Te\u0007a', 'Te\na', '\u202eaeT', 'T\u2066ea', ' Tea', 'Tea ', '']
    for (const text of hiding) {
      const asTitle = { ...product, title: text }
      const asCategory = { ...product, categories: ['Tea', text] }
      for (const [body, pointer] of [
        [asTitle, '#/title'],
        [asCategory, '#/categories/1'],
      ] as const) {
        const answer = await edge.ask('POST', '/v1/products', { token, key: key(), body })
        expect([text, answer.status, answer.body.errors]).toEqual([
          text,
          422,
          [expect.objectContaining({ pointer })],
        ])
      }
    }
    const twice = { ...product, categories: ['Tea', 'Tea'] }
    expect((await edge.ask('POST', '/v1/products', { token, key: key(), body: twice })).status).toBe(422)
  })
})
