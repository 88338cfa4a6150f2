import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { v7 as uuidv7 } from 'uuid'
import { createProduct, type Product, setCategories } from '../../queues/catalog.ts'
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
const add = async (title: string, categories: string[] = [], sku = `ITEM-${++skus}`) =>
  (await kernel.run(createProduct, { sku, title, priceMinor: 1, currency: 'EUR', onHand: 1, categories })).id
const ask = async (query: Readonly<Record<string, string>>) => {
  const url = `http://catalog.test/products?${new URLSearchParams(query)}`
  const answer = await kernel.services.routesOf('catalog').handle(new Request(url))
  return { status: answer.status, body: await answer.json() }
}
const listed = async (query: Readonly<Record<string, string>>): Promise<Product[]> =>
  (await ask(query)).body.items
const idsOf = async (query: Readonly<Record<string, string>>) => (await listed(query)).map(each => each.id)

describe('a search', () => {
  test.each([
    ['Grüner Tee, 100 g', ['gruner', 'GRÜNER tee', 'tee 100', 'tee, g', 'gr te', 'Gru\u0308n']],
    ['ÅNGSTRÖM İstanbul', ['angstrom', 'istanbul ångström', 'i a']],
    ['Чай Ёлка', ['чай', 'ЕЛКА', 'ёл']],
    ["Queen's Cup & Saucer | №5 (new!)", ["queen's", 'cup saucer', 'no5', 's new', "'", '| cup'].slice(0, 4)],
    ['緑茶ティーバッグ', ['緑茶', '緑茶ティ']],
    ['Ｆｕｌｌ ｗｉｄｔｈ', ['full width', 'ＦＵＬＬ']],
  ])('finds %p by the beginnings of its words, whatever their accents and case', async (title, queries) => {
    const id = await add(title)
    for (const q of queries) expect([q, await idsOf({ q })]).toEqual([q, expect.arrayContaining([id])])
  })
  test('finds by SKU, whole or by its parts', async () => {
    const id = await add('Poster', [], 'POSTER-A2.MATT_7')
    for (const q of ['POSTER-A2.MATT_7', 'a2', 'matt 7', 'poster-a'])
      expect([q, await idsOf({ q })]).toEqual([q, [id]])
  })
  test('finds only what has all the words', async () => {
    const blue = await add('Zebra blue')
    await add('Zebra red')
    expect(await idsOf({ q: 'zebra blue' })).toEqual([blue])
    expect(await idsOf({ q: 'zebra green' })).toEqual([])
    expect(await idsOf({ q: 'ebra' })).toEqual([])
  })
  test('sees a new title at once, and the old one no more', async () => {
    const id = await add('Oldname')
    await kernel.sql`update catalog.products set title = 'Newname' where id = ${id}`
    expect([await idsOf({ q: 'newname' }), await idsOf({ q: 'oldname' })]).toEqual([[id], []])
  })
  test('for nothing but punctuation finds nothing', async () => {
    for (const q of ['!?', ' ', "'", '\\', ':*', '&|!', '()', '--', '…—“”', '。、', '\u200b', '؟'])
      expect([q, await ask({ q })]).toEqual([q, { status: 200, body: { items: [], nextCursor: null } }])
  })
  test('whatever is asked, Postgres does not complain', async () => {
    const special = fc.constantFrom(...`'"\\:*&|!<->()%_ \t\n`, '\ufdfa', '\u3322', 'İ', 'ß', '\u0301', '🍵')
    const text = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 50 }),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 }),
      fc.string({ unit: special, minLength: 1, maxLength: 100 }),
    )
    await fc.assert(
      fc.asyncProperty(text, async q => {
        const fits = !q.includes('\0') && q.toWellFormed().length <= 100
        expect((await ask({ q: q.toWellFormed() })).status).toBe(fits ? 200 : 422)
      }),
      { numRuns: 500 },
    )
  })
  test('finds every product by its own title, whatever that is', async () => {
    const title = fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }),
      fc.string({
        unit: fc.constantFrom('\u3316', '\ufdfa', 'İ', 'ǆ', 'ﬁ', 'Σ'),
        minLength: 1,
        maxLength: 200,
      }),
    )
    const sql = kernel.database.sql('catalog')
    await fc.assert(
      fc.asyncProperty(title, async text => {
        const [row] = await sql`
          select catalog.search_query(${text}) as query,
                 array_to_tsvector(catalog.words(${text})) @@ catalog.search_query(${text}) as found`
        expect(row?.found).toBe(row?.query === null ? null : true)
      }),
      // Each becomes six letters: a word as long as that would not fit into an index.
      { numRuns: 300, examples: [['\u3316'.repeat(200)]] },
    )
  })
})

describe('filters', () => {
  test('a category lists its products, newest first, as exact as it is spelled', async () => {
    const first = await add('A', ['Für Gäste', 'B&B'])
    const second = await add('B', ['Für Gäste'])
    expect(await idsOf({ category: 'Für Gäste' })).toEqual([second, first])
    expect(await idsOf({ category: 'für gäste' })).toEqual([])
    expect((await listed({ category: 'B&B' })).map(each => each.categories)).toEqual([['B&B', 'Für Gäste']])
  })
  test('a SKU finds its product and no other', async () => {
    const id = await add('C', [], 'EXACT-1')
    await add('D', [], 'EXACT-10')
    expect([await idsOf({ sku: 'EXACT-1' }), await idsOf({ sku: 'EXACT-2' })]).toEqual([[id], []])
  })
  test('all that are given must hold', async () => {
    const id = await add('Lamp green', ['Light'], 'LAMP-1')
    const other = await add('Lamp red', ['Light'], 'LAMP-2')
    const all = { q: 'lamp', category: 'Light', sku: 'LAMP-1' }
    expect(await idsOf({ q: 'lamp', category: 'Light' })).toEqual([other, id])
    expect(await idsOf(all)).toEqual([id])
    for (const wrong of [{ q: 'red' }, { category: 'Dark' }, { sku: 'LAMP-2', q: 'green' }])
      expect(await idsOf({ ...all, ...wrong })).toEqual([])
  })
  test('pages hold each product once while products are added', async () => {
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.unshift(await add('Pageturner', ['Paged']))
    for (const filter of [{ q: 'page' }, { category: 'Paged' }, { q: 'page', category: 'Paged' }]) {
      const known = await idsOf({ ...filter, limit: '100' })
      const seen: string[] = []
      let cursor: string | null = null
      do {
        const { body } = await ask({ ...filter, limit: '2', ...(cursor && { cursor }) })
        seen.push(...body.items.map((each: Product) => each.id))
        cursor = body.nextCursor
        await add('Pageturner', ['Paged'])
      } while (cursor)
      expect(seen).toEqual(known)
    }
  })
  test('422 for what cannot be asked', async () => {
    const wrong = [{ q: '' }, { q: 'a\0' }, { q: 'x'.repeat(101) }, { sku: 'tea' }, { category: ' ' }]
    for (const query of wrong) expect([query, (await ask(query as never)).status]).toEqual([query, 422])
  })
})

describe('catalog.set-categories', () => {
  const categoriesOf = async (id: string) => {
    const rows = await kernel.sql<{ category: string }[]>`
      select category from catalog.product_categories where product_id = ${id} order by 1`
    return rows.map(each => each.category)
  }
  test('sets those and no others, also none', async () => {
    const id = await add('E', ['One', 'Two'])
    const { result } = await kernel.run(setCategories, { productId: id, categories: ['Two', 'Three'] })
    expect(result).toEqual({ productId: id, categories: ['Two', 'Three'] })
    expect(await categoriesOf(id)).toEqual(['Three', 'Two'])
    await kernel.run(setCategories, { productId: id, categories: [] })
    expect(await categoriesOf(id)).toEqual([])
  })
  test('of no product is refused', async () => {
    const { result } = await kernel.run(setCategories, { productId: uuidv7(), categories: ['A'] })
    expect(result).toEqual({ code: 'product_not_found', detail: null })
  })
  test('of many at the same time, those of one are left whole', async () => {
    const id = await add('F')
    const sets = Array.from({ length: 12 }, (_, n) => [`A${n}`, `B${n}`])
    await Promise.all(sets.map(categories => kernel.run(setCategories, { productId: id, categories })))
    expect(sets).toContainEqual(await categoriesOf(id))
  })
  test('twice is once', async () => {
    const job = jobOf<typeof setCategories>({ productId: await add('G', ['Old']), categories: ['New'] })
    const sql = kernel.database.sql('catalog')
    const setThem = async () => outputOf(await carryOut(sql, await handlers['catalog.set-categories'](job)))
    const first = await setThem()
    const before = await dump(kernel.sql)
    expect([await setThem(), await dump(kernel.sql)]).toEqual([first, before])
  })
})
