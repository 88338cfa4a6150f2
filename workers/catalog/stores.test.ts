import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { createProduct } from '../../queues/catalog.ts'
import type { InputOf, OutputOf } from '../../queues/command.ts'
import { createStore, mainStoreId, setAccepting, setTaxRates, updateStore } from '../../queues/stores.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { carryOut, dump, jobOf, outputOf } from '../../test/trade.ts'
import { handlers } from './commands.ts'
import { catalogService } from './index.ts'

let kernel: TestKernel
beforeAll(async () => {
  kernel = await testKernel({ services: [catalogService] })
})
afterAll(() => kernel.stop())

type NewStore = InputOf<typeof createStore>
const address = { line1: 'Torstraße 1', city: 'Berlin', postalCode: '10119', country: 'DE' }
const shop: NewStore = { kind: 'shop', name: 'Tea & more', address, timeZone: 'Europe/Berlin' }
const restaurant: NewStore = { ...shop, kind: 'restaurant', name: 'Zum Löwen' }
const added = async (store: NewStore = shop) => (await kernel.run(createStore, store)).id
const vat = (country: string, taxClass: 'standard' | 'reduced', ratePpm: number) => ({
  country,
  taxClass,
  ratePpm,
  name: 'VAT',
})

const get = async (path: string) => {
  const answer = await kernel.services.routesOf('catalog').handle(new Request(`http://catalog.test${path}`))
  return { status: answer.status, body: await answer.json() }
}
const eventsOf = async (command: string) =>
  (await kernel.story(command)).events.map(({ type, payload }) => ({ type, payload }))
const refusalOf = (run: { state: string; result: unknown }) => [run.state, run.result]
const offered = async (sku: string) => {
  const orders = kernel.database.sql('orders')
  const asked = orders.json([{ orderId: uuidv7(), lines: [{ sku, quantity: 1 }] }])
  const [offer] = await orders`select store_id, weight_g, tax_class, store from catalog.offer(${asked})`
  const [reserved] = await orders`select store_id, weight_g, tax_class, store from catalog.reserve(${asked})`
  expect(reserved).toEqual(offer as object)
  return offer
}

describe('catalog.create-store', () => {
  test('a shop takes money at once and is always open, and everybody can read it', async () => {
    const { id, result } = await kernel.run(createStore, shop)
    expect(result).toEqual({
      storeId: id,
      kind: 'shop',
      capture: 'automatic',
      acceptWithinMs: null,
      commissionPpm: 0,
    })
    expect(await eventsOf(id)).toEqual([
      { type: 'store.changed', payload: { storeId: id, kind: 'shop', accepting: true } },
    ])
    expect(await get(`/stores/${id}`)).toMatchObject({
      status: 200,
      body: { ...shop, id, openingHours: [], accepting: true, isOpen: true, opensAt: null, taxes: [] },
    })
  })
  test('a restaurant sets money aside and has five minutes to accept', async () => {
    const { result } = await kernel.run(createStore, restaurant)
    expect(result).toMatchObject({ capture: 'manual', acceptWithinMs: 300_000 })
    const quick = {
      ...restaurant,
      capture: 'automatic',
      acceptWithinMs: 60_000,
      commissionPpm: 120_000,
    } as const
    expect((await kernel.run(createStore, quick)).result).toMatchObject({
      capture: 'automatic',
      acceptWithinMs: 60_000,
      commissionPpm: 120_000,
    })
  })
  test('is refused for a time zone that nobody knows, hours that overlap, and a shop that would have to accept', async () => {
    const before = await dump(kernel.sql)
    const hours = [
      { day: 1, opens: '20:00', closes: '02:00' },
      { day: 2, opens: '01:30', closes: '03:00' },
    ]
    for (const [wrong, code, detail] of [
      [{ ...shop, timeZone: 'Europe/Bonn' }, 'time_zone_unknown', null],
      [{ ...shop, openingHours: hours }, 'hours_overlap', { day: 2, opens: '01:30' }],
      [{ ...shop, acceptWithinMs: 60_000 }, 'not_a_restaurant', null],
    ] as const)
      expect(refusalOf(await kernel.run(createStore, wrong as NewStore))).toEqual([
        'rejected',
        { code, detail },
      ])
    expect(await dump(kernel.sql)).toEqual(before)
  })
})

describe('catalog.update-store', () => {
  test('changes what is given and nothing else, and tells of it once', async () => {
    const storeId = await added({ ...restaurant, commissionPpm: 50_000 })
    const change = { storeId, name: 'Zum Bären', acceptWithinMs: 120_000 }
    const { id, result } = await kernel.run(updateStore, change)
    expect(result).toMatchObject({ storeId, acceptWithinMs: 120_000, commissionPpm: 50_000 })
    expect((await get(`/stores/${storeId}`)).body).toMatchObject({ ...restaurant, name: 'Zum Bären' })
    expect((await eventsOf(id)).length).toBe(1)
    const again = await kernel.run(updateStore, change)
    expect([again.result, await eventsOf(again.id)]).toEqual([result, []])
  })
  test('a restaurant that becomes a shop need not accept any more, and the other way round', async () => {
    const storeId = await added(restaurant)
    const kinds: (OutputOf<typeof updateStore>['acceptWithinMs'] | undefined)[] = []
    for (const kind of ['shop', 'restaurant'] as const) {
      const { result } = await kernel.run(updateStore, { storeId, kind })
      kinds.push((result as OutputOf<typeof updateStore>).acceptWithinMs)
    }
    expect(kinds).toEqual([null, 300_000])
  })
  test('is refused like a new one, and for a store that is not there', async () => {
    const storeId = await added()
    for (const [wrong, code] of [
      [{ storeId: uuidv7(), name: 'A' }, 'store_not_found'],
      [{ storeId, timeZone: 'Mars' }, 'time_zone_unknown'],
      [{ storeId, acceptWithinMs: 60_000 }, 'not_a_restaurant'],
      [
        { storeId, openingHours: Array(2).fill({ day: 1, opens: '09:00', closes: '10:00' }) },
        'hours_overlap',
      ],
    ] as const)
      expect((await kernel.run(updateStore, wrong)).result).toMatchObject({ code })
    expect((await get(`/stores/${storeId}`)).body).toMatchObject(shop)
  })
  test('two changes at the same time are both there', async () => {
    const storeId = await added()
    await Promise.all([
      kernel.run(updateStore, { storeId, name: 'Renamed' }),
      kernel.run(updateStore, { storeId, commissionPpm: 70_000 }),
      kernel.run(setAccepting, { storeId, accepting: false }),
    ])
    const [row] = await kernel.sql`
      select name, commission_ppm, accepting from catalog.stores where id = ${storeId}`
    expect(row).toEqual({ name: 'Renamed', commission_ppm: 70_000, accepting: false })
  })
})

describe('what an order is told of its store', () => {
  const product = async (storeId: string | undefined, more: Partial<InputOf<typeof createProduct>> = {}) => {
    const sku = `STORE-${uuidv7().toUpperCase()}`
    const base = { sku, title: 'Tea', priceMinor: 350, currency: 'EUR', onHand: 9, ...more }
    const run = await kernel.run(createProduct, { ...base, ...(storeId && { storeId }) })
    return { sku, ...run }
  }
  test('a product without a store is of the main store, which asks for nothing', async () => {
    const { sku } = await product(undefined)
    expect(await offered(sku)).toEqual({
      store_id: mainStoreId,
      weight_g: 0,
      tax_class: 'standard',
      store: {
        kind: 'shop',
        capture: 'automatic',
        acceptWithinMs: null,
        pricesIncludeTax: false,
        country: null,
        taxes: [],
        commissionPpm: 0,
        open: true,
        opensAt: null,
      },
    })
  })
  test("its terms as they are now, with the product's weight and tax class", async () => {
    const storeId = await added({ ...restaurant, commissionPpm: 100_000 })
    const { sku } = await product(storeId, { weightG: 450, taxClass: 'reduced' })
    const rates = [vat('DE', 'standard', 190_000), vat('DE', 'reduced', 70_000)]
    const set = await kernel.run(setTaxRates, { storeId, pricesIncludeTax: true, rates })
    expect(set.result).toEqual({ storeId, pricesIncludeTax: true, rates })
    expect(await eventsOf(set.id)).toMatchObject([{ type: 'store.changed' }])
    const store = {
      kind: 'restaurant',
      capture: 'manual',
      acceptWithinMs: 300_000,
      pricesIncludeTax: true,
      country: 'DE',
      taxes: rates,
      commissionPpm: 100_000,
      open: true,
      opensAt: null,
    }
    const told = { store_id: storeId, weight_g: 450, tax_class: 'reduced' }
    expect(await offered(sku)).toEqual({ ...told, store })
    await kernel.run(setAccepting, { storeId, accepting: false })
    expect(await offered(sku)).toEqual({ ...told, store: { ...store, open: false } })
    expect((await get(`/stores/${storeId}`)).body).toMatchObject({ isOpen: false, opensAt: null })
  })
  test('one whose hours are over is closed until they begin, for orders as for readers', async () => {
    const tomorrow = new Date(Date.now() + 26 * 3_600_000)
    const day = tomorrow.getUTCDay() || 7
    const opens = `${tomorrow.toISOString().slice(11, 13)}:00`
    const closes = `${tomorrow.toISOString().slice(11, 13)}:30`
    const storeId = await added({ ...shop, timeZone: 'UTC', openingHours: [{ day, opens, closes }] })
    const { sku } = await product(storeId)
    const opensAt = `${tomorrow.toISOString().slice(0, 13)}:00:00.000Z`
    expect(await offered(sku)).toMatchObject({ store: { open: false, opensAt, capture: 'automatic' } })
    expect((await get(`/stores/${storeId}`)).body).toMatchObject({ isOpen: false, opensAt })
    expect((await get('/stores?limit=1')).body.items).toMatchObject([{ id: storeId, isOpen: false, opensAt }])
  })
  test('a product of a store that is not there is refused', async () => {
    const { state, result } = await product(uuidv7())
    expect([state, result]).toEqual(['rejected', { code: 'store_not_found', detail: null }])
  })
})

describe('catalog.set-tax-rates', () => {
  test('is refused if a country has two rates for one class, and of no store', async () => {
    const storeId = await added()
    const rates = [vat('DE', 'standard', 190_000), vat('AT', 'standard', 200_000)]
    const twice = [...rates, vat('DE', 'standard', 70_000)]
    expect((await kernel.run(setTaxRates, { storeId, pricesIncludeTax: true, rates: twice })).result).toEqual(
      {
        code: 'tax_rate_twice',
        detail: { country: 'DE', taxClass: 'standard' },
      },
    )
    const none = await kernel.run(setTaxRates, { storeId: uuidv7(), pricesIncludeTax: true, rates })
    expect(none.result).toEqual({ code: 'store_not_found', detail: null })
    expect((await get(`/stores/${storeId}`)).body).toMatchObject({ taxes: [], pricesIncludeTax: false })
  })
})

test('catalog.set-accepting of no store is refused', async () => {
  const { result } = await kernel.run(setAccepting, { storeId: uuidv7(), accepting: true })
  expect(result).toEqual({ code: 'store_not_found', detail: null })
})

test('twice is once: every command about a store', async () => {
  const sql = kernel.database.sql('catalog')
  const storeId = await added(restaurant)
  const create = jobOf<typeof createStore>(shop)
  const update = jobOf<typeof updateStore>({ storeId, name: 'Anew', capture: 'automatic' })
  const accepting = jobOf<typeof setAccepting>({ storeId, accepting: false })
  const rates = [vat('DE', 'standard', 190_000)]
  const taxes = jobOf<typeof setTaxRates>({ storeId, pricesIncludeTax: true, rates })
  const all = async () => [
    outputOf(await carryOut(sql, await handlers['catalog.create-store'](create))),
    outputOf(await carryOut(sql, await handlers['catalog.update-store'](update))),
    outputOf(await carryOut(sql, await handlers['catalog.set-accepting'](accepting))),
    outputOf(await carryOut(sql, await handlers['catalog.set-tax-rates'](taxes))),
  ]
  const first = await all()
  const before = await dump(kernel.sql)
  expect([await all(), await dump(kernel.sql)]).toEqual([first, before])
})

describe('a list of stores', () => {
  test('pages hold each once, newest first, by kind and by words of the name', async () => {
    const ids: string[] = []
    for (const name of ['Café Müller', 'Café Maier', 'Café Schmidt'])
      ids.unshift(await added({ ...restaurant, name }))
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const { body } = await get(`/stores?q=cafe&kind=restaurant&limit=2${cursor ? `&cursor=${cursor}` : ''}`)
      seen.push(...body.items.map((each: { id: string }) => each.id))
      cursor = body.nextCursor
    } while (cursor)
    expect(seen).toEqual(ids)
    expect((await get('/stores?q=cafe%20mull')).body.items.length).toBe(1)
    expect((await get('/stores?q=cafe&kind=shop')).body.items).toEqual([])
    const { body } = await get('/stores?kind=shop&limit=100')
    expect(body.items.at(-1)).toMatchObject({ id: mainStoreId, address: null, isOpen: true })
  })
  test('404 for an unknown id, 422 for what cannot be asked', async () => {
    expect(await get(`/stores/${uuidv7()}`)).toEqual({ status: 404, body: { code: 'not_found' } })
    for (const path of ['/stores/1', '/stores?kind=bank', '/stores?cursor=x', '/stores?q='])
      expect(await get(path)).toEqual({ status: 422, body: { code: 'invalid_request' } })
  })
})
