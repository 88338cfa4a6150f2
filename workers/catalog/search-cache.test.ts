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
import { cacheRedis } from '../../queues/redis.ts'
import { type TestKernel, testKernel, testLog } from '../../test/harness.ts'
import { randomFrom } from '../../test/random.ts'
import { createAsk } from '../runtime/ask.ts'
import { catalogService } from './index.ts'
import { listProducts } from './reads.ts'
import { createSearchCache, type FoundPage } from './search-cache.ts'

let kernel: TestKernel
let redis: ReturnType<typeof cacheRedis>
beforeAll(async () => {
  kernel = await testKernel({ services: [catalogService] })
  redis = cacheRedis(kernel.redis.url, testLog)
  await new Promise(ready => redis.once('ready', ready))
  // So many that a search for them is worth remembering.
  await kernel.sql`
    with product as (
      insert into catalog.products (id, sku, title, price_minor, currency, created_at)
      select overlay(gen_random_uuid()::text placing '00000000' from 1)::uuid, 'TEA-' || n, 'Tea no ' || n, n, 'EUR', now() from generate_series(1, 600) n returning sku
    )
    insert into catalog.stock (sku, on_hand) select sku, 10 from product`
})
afterAll(async () => {
  redis.disconnect()
  await kernel.stop()
})

const search = async (q: string, more = ''): Promise<readonly Product[]> => {
  const address = `http://catalog.test/products?q=${encodeURIComponent(q)}${more}`
  const answer = await kernel.services.routesOf('catalog').handle(new Request(address))
  expect(answer.status).toBe(200)
  return (await answer.json()).items
}
const idsOf = (products: readonly Product[]) => products.map(({ id }) => id)
const add = async (title: string) => {
  const sku = `NEW-${uuidv7().toUpperCase()}`
  return (await kernel.run(createProduct, { sku, title, priceMinor: 1, currency: 'EUR', onHand: 1 })).id
}
const keys = () => redis.keys(`${kernel.redis.prefix}:catalog-search:*`)
/** Searches until the page is remembered, and answers where. */
async function remembered(q: string, more?: string): Promise<string> {
  for (const key of await keys()) await redis.del(key)
  for (;;) {
    await search(q, more)
    const [key] = await keys()
    if (key) return key
  }
}
/** Takes a product off the remembered page, so that an answer tells where it comes from. */
async function tamperedWith(key: string): Promise<string> {
  const page: FoundPage = JSON.parse(String(await redis.get(key)))
  const [gone = '', ...ids] = page.ids
  await redis.set(key, JSON.stringify({ ...page, ids }), 'PX', 60_000)
  return gone
}

describe('what a search found is remembered', () => {
  test('and answers the next one, if it was much', async () => {
    const gone = await tamperedWith(await remembered('tea'))
    expect(idsOf(await search('tea'))).not.toContain(gone)
    expect(idsOf(await search('tea', '&limit=30'))).toContain(gone)
    await search('tea no 77')
    await Bun.sleep(20)
    const pages = await Promise.all((await keys()).map(key => redis.get(key)))
    expect(pages.filter(page => page && JSON.parse(page).ids.length < 5)).toEqual([])
  })
  test('and forgotten after a while, whatever happens', async () => {
    const left = await redis.pttl(await remembered('tea'))
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(60_000)
  })
})

describe('no remembered page outlives a change of what it shows', () => {
  test.each<[string, (shown: Product) => Promise<unknown>]>([
    ['a new product', () => add('Tea, new')],
    [
      'a new variant',
      shown =>
        kernel.run(createVariant, {
          productId: shown.id,
          sku: `VARIANT-${uuidv7().toUpperCase()}`,
          options: { size: 'M' },
          priceMinor: 1,
          onHand: 1,
        }),
    ],
    ['another title', shown => kernel.run(updateProduct, { productId: shown.id, title: 'Coffee' })],
    ['other categories', shown => kernel.run(setCategories, { productId: shown.id, categories: ['Hot'] })],
    [
      'whatever an operator does',
      async shown => {
        await kernel.sql`update catalog.products set title = 'Cocoa' where id = ${shown.id}`
      },
    ],
  ])('%s', async (_, change) => {
    const gone = await tamperedWith(await remembered('tea'))
    const [shown] = await search('tea')
    if (!shown) throw new Error('nothing was found')
    await change(shown)
    const truth = idsOf(await search('tea'))
    expect(truth).toContain(gone)
    expect(truth).toEqual(
      idsOf(await listProducts(kernel.sql, forgetful, { q: 'tea', cursor: null, limit: 20 })),
    )
  })
  test('also one that was under way while the page was found', async () => {
    const begun = Promise.withResolvers<void>()
    const commit = Promise.withResolvers<void>()
    const changing = kernel.sql.begin(async tx => {
      await tx`update catalog.products set title = 'Tea and biscuits' where sku = 'TEA-1'`
      begun.resolve()
      await commit.promise
    })
    await begun.promise
    const gone = await tamperedWith(await remembered('tea'))
    expect(idsOf(await search('tea'))).not.toContain(gone)
    commit.resolve()
    await changing
    expect(idsOf(await search('tea'))).toContain(gone)
  })
  test('of another run of the server nothing is believed', async () => {
    const key = await remembered('tea')
    const gone = await tamperedWith(key)
    await redis.set(key, String(await redis.get(key)).replace(/"server":"\d+/, '"server":"1'), 'PX', 60_000)
    expect(idsOf(await search('tea'))).toContain(gone)
  })
  test('prices and stock are always of now, and leave the page remembered', async () => {
    const gone = await tamperedWith(await remembered('tea'))
    const [shown] = await search('tea')
    if (!shown) throw new Error('nothing was found')
    await kernel.run(setPrice, { productId: shown.id, priceMinor: 4_711, currency: 'EUR' })
    await kernel.run(setStock, { productId: shown.id, onHand: 4 })
    const [now] = await search('tea')
    expect(now).toEqual({ ...shown, priceMinor: 4_711, available: 4 })
    expect(idsOf(await search('tea'))).not.toContain(gone)
  })
  test('whoever has seen a change settled finds it, while others search and change', async () => {
    const random = randomFrom(20_261_121)
    let over = false
    const searching = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!over) await search('tea')
      }),
    )
    const changing = Array.from({ length: 4 }, async (_, who) => {
      for (let round = 0; round < 12; round++) {
        const mark = `mark${who}x${round}`
        const id = await add(`Tea ${mark}`)
        expect(idsOf(await search('tea'))).toContain(id)
        if (random() < 0.5) continue
        await kernel.run(updateProduct, { productId: id, title: `Coffee ${mark}` })
        expect(idsOf(await search('tea', '&limit=100'))).not.toContain(id)
      }
    })
    await Promise.all(changing).finally(() => (over = true))
    await searching
  })
})

const forgetful = { read: async () => null, write: () => {}, close: async () => {} }

describe('a search is answered without Redis', () => {
  test('that holds anything else', async () => {
    const key = await remembered('tea')
    const page = JSON.parse(String(await redis.get(key)))
    const truth = idsOf(await search('tea'))
    const wrong = [
      'x',
      '[]',
      '{}',
      'null',
      ...[{ ids: [] }, { ids: ['1'] }, { ids: null }, { ids: [uuidv7()] }, { server: 7 }].map(each =>
        JSON.stringify({ ...page, ...each }),
      ),
      ...['', '1', '5:3:', '0:0:', '3:5:7', `1:${'9'.repeat(30)}:`, "1:2:'"].map(snapshot =>
        JSON.stringify({ ...page, snapshot }),
      ),
    ]
    for (const text of wrong) {
      await redis.set(key, text, 'PX', 60_000)
      expect([text, idsOf(await search('tea'))]).toEqual([text, truth])
    }
  })
  test('that is not there, or says nothing', async () => {
    const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => {} } })
    for (const port of [1, silent.port]) {
      const cache = createSearchCache({
        redis: { url: `redis://127.0.0.1:${port}`, prefix: 'x' },
        log: testLog,
        ask: createAsk,
      })
      const asked = { q: 'tea', cursor: null, limit: 21 }
      for (let n = 0; n < 5; n++) expect((await listProducts(kernel.sql, cache, asked)).length).toBe(21)
      await cache.close()
    }
    silent.stop(true)
  })
})

test('notes of changes are not kept for ever', async () => {
  await kernel.sql`update catalog.search_changes set at = now() - interval '2 hours'`
  const old = async () => {
    const [row] = await kernel.sql<{ old: number }[]>`
      select count(*) as old from catalog.search_changes where at < now() - interval '1 hour'`
    return row?.old ?? 0
  }
  const before = await old()
  await add('Water')
  expect(await old()).toBe(Math.max(0, before - 5))
})
