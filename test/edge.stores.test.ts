import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { createClient } from '../client/client.ts'
import { createEnqueuer, type Enqueuer } from '../queues/enqueue.ts'
import { mainStoreId } from '../queues/stores.ts'
import { catalogService } from '../workers/catalog/index.ts'
import { customer, merchant, operator, type TestEdge, testEdge } from './edge-harness.ts'
import { type TestKernel, testKernel, testLog } from './harness.ts'

let kernel: TestKernel
let enqueuer: Enqueuer
let edge: TestEdge
let token: string
beforeAll(async () => {
  kernel = await testKernel({ services: [catalogService] })
  enqueuer = createEnqueuer(kernel.redis, testLog)
  const upstreams = { catalog: kernel.services.routesOf('catalog') }
  edge = await testEdge({ database: kernel.database, enqueuer, upstreams })
  token = await edge.tokenFor(merchant())
})
afterAll(async () => {
  await enqueuer.close()
  await kernel.stop()
})

const shop = (as = token) =>
  createClient({
    baseUrl: 'http://edge.test',
    token: as,
    fetch: async (url, init) => edge.edge.fetch(new Request(url, init)),
  }).catalog

const address = { line1: 'Via Roma 1', city: 'Torino', postalCode: '10121', country: 'IT' }
const trattoria = {
  kind: 'restaurant',
  name: 'Trattoria Sole',
  address,
  timeZone: 'Europe/Rome',
  openingHours: [1, 2, 3, 4, 5, 6, 7].map(day => ({ day, opens: '00:00', closes: '00:00' })),
} as const
const opened = async () => {
  const asked = await shop().createStore(trattoria)
  const settled = await asked.wait()
  if (settled.state !== 'succeeded') throw new Error(`not opened: ${JSON.stringify(settled)}`)
  return settled.output.storeId
}
const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
  edge.ask('GET', path, { headers })

test('a merchant opens a restaurant with its dishes, and stops taking orders in the rush', async () => {
  const storeId = await opened()
  const dish = { sku: 'PIZZA', title: 'Pizza', priceMinor: 900, currency: 'EUR', onHand: 50 }
  const pizza = await shop().createProduct({ ...dish, storeId, taxClass: 'reduced', weightG: 600 })
  const settled = await pizza.wait()
  if (settled.state !== 'succeeded') throw new Error('not created')
  const { productId } = settled.output
  const large = await shop().createVariant({
    productId,
    sku: 'PIZZA-L',
    options: { size: 'large' },
    priceMinor: 1_200,
    onHand: 20,
  })
  expect(await large.wait()).toMatchObject({ state: 'succeeded', output: { productId, sku: 'PIZZA-L' } })
  const rates = [{ country: 'IT', taxClass: 'reduced' as const, ratePpm: 100_000, name: 'IVA' }]
  await (await shop().setTaxRates({ storeId, pricesIncludeTax: true, rates })).wait()

  const { items } = await shop().listProducts({ storeId })
  expect(items).toMatchObject([
    { sku: 'PIZZA', storeId, variants: [{ sku: 'PIZZA-L', options: { size: 'large' }, priceMinor: 1_200 }] },
  ])
  expect(await shop().getStore(storeId)).toMatchObject({
    isOpen: true,
    taxes: rates,
    acceptWithinMs: 300_000,
  })
  await (await shop().setAccepting({ storeId, accepting: false })).wait()
  expect(await shop().getStore(storeId)).toMatchObject({ isOpen: false, accepting: false })
  const stores = await shop().listStores({ kind: 'restaurant' })
  expect(stores.items.map(({ id }) => id)).toEqual([storeId])
  expect((await shop().listStores()).items.at(-1)?.id).toBe(mainStoreId)
})

test('a read of a store is 304 while nothing has changed, and 200 after the switch', async () => {
  const storeId = await opened()
  for (const path of [`/v1/stores/${storeId}`, '/v1/stores?limit=1']) {
    const first = await get(path)
    const known = { 'if-none-match': first.headers.get('etag') ?? '' }
    expect([first.status, (await get(path, known)).status]).toEqual([200, 304])
    const { accepting } = await shop().getStore(storeId)
    await (await shop().setAccepting({ storeId, accepting: !accepting })).wait()
    expect((await get(path, known)).status).toBe(200)
  }
  expect((await get(`/v1/stores/${uuidv7()}`)).status).toBe(404)
})

test('what the platform keeps is set by operators alone, not by those who sell', async () => {
  const refusal = { state: 'rejected', refusal: { code: 'commission_not_yours' } }
  const own = await shop().createStore({ ...trattoria, commissionPpm: 1 })
  expect(await own.wait()).toMatchObject(refusal)
  const asked = await shop(await edge.tokenFor(operator())).createStore({
    ...trattoria,
    commissionPpm: 50_000,
  })
  expect(await asked.wait()).toMatchObject({ state: 'succeeded' })
  for (const [change, answer] of [
    [{ commissionPpm: 0 }, refusal],
    [
      { name: 'Mine', commissionPpm: 50_000 },
      { state: 'succeeded', output: { commissionPpm: 50_000 } },
    ],
  ] as const)
    expect(await (await shop().updateStore({ storeId: asked.id, ...change })).wait()).toMatchObject(answer)
})

test('what the platform keeps is not shown to buyers', async () => {
  const platform = shop(await edge.tokenFor(operator()))
  const asked = await platform.createStore({ ...trattoria, name: 'Quiet', commissionPpm: 123_456 })
  expect(await asked.wait()).toMatchObject({ output: { commissionPpm: 123_456 } })
  expect(JSON.stringify((await get(`/v1/stores/${asked.id}`)).body)).not.toContain('123456')
})

describe('bad input is refused, and the field is named', () => {
  const refusedAt = async (method: string, path: string, body: object) => {
    const before = await edge.countCommands()
    const answer = await edge.ask(method, path, { token, key: uuidv7(), body })
    expect(await edge.countCommands()).toBe(before)
    expect(answer.status).toBe(422)
    return (answer.body.errors as { pointer: string }[]).map(({ pointer }) => pointer)
  }
  const hours = (day: unknown, opens: unknown, closes: unknown) => ({
    openingHours: [{ day, opens, closes }],
  })
  test.each<[object, string]>([
    [{ kind: 'bank' }, '#/kind'],
    [{ name: '' }, '#/name'],
    [{ address: { ...address, country: 'Italy' } }, '#/address/country'],
    [{ address: { ...address, planet: 'Earth' } }, '#/address/planet'],
    [{ timeZone: '+01:00' }, '#/timeZone'],
    [hours(0, '09:00', '10:00'), '#/openingHours/0/day'],
    [hours(8, '09:00', '10:00'), '#/openingHours/0/day'],
    [hours(1, '24:00', '10:00'), '#/openingHours/0/opens'],
    [hours(1, '9:00', '10:00'), '#/openingHours/0/opens'],
    [hours(1, '09:00', '10:60'), '#/openingHours/0/closes'],
    [{ acceptWithinMs: 0 }, '#/acceptWithinMs'],
    [{ commissionPpm: 1_000_001 }, '#/commissionPpm'],
    [{ commissionPpm: 0.5 }, '#/commissionPpm'],
    [{ capture: 'later' }, '#/capture'],
    [{ owner: 'me' }, '#/owner'],
  ])('a store with %j', async (wrong, pointer) => {
    expect(await refusedAt('POST', '/v1/stores', { ...trattoria, ...wrong })).toEqual([pointer])
    expect(await refusedAt('PATCH', `/v1/stores/${uuidv7()}`, wrong)).toEqual([pointer])
  })
  test('a tax below nothing or above everything, of no country or class', async () => {
    const rate = { country: 'IT', taxClass: 'standard', ratePpm: 1, name: 'IVA' }
    for (const [wrong, field] of [
      [{ ratePpm: -1 }, 'ratePpm'],
      [{ ratePpm: 1_000_001 }, 'ratePpm'],
      [{ country: 'it' }, 'country'],
      [{ taxClass: 'luxury' }, 'taxClass'],
      [{ name: '\u202eAVI' }, 'name'],
    ] as const) {
      const body = { pricesIncludeTax: true, rates: [{ ...rate, ...wrong }] }
      expect(await refusedAt('PUT', `/v1/stores/${mainStoreId}/tax-rates`, body)).toEqual([
        `#/rates/0/${field}`,
      ])
    }
  })
  test('a variant without options, with too many, or with what is no name or value', async () => {
    const variant = { sku: 'V-1', priceMinor: 1, onHand: 1 }
    const many = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map(name => [name, 'x']))
    for (const options of [
      {},
      many,
      { '': 'x' },
      { '1': 'x' },
      { size: '' },
      { size: 5 },
      { 'si"ze': 'M' },
    ]) {
      const [pointer] = await refusedAt('POST', `/v1/products/${uuidv7()}/variants`, { ...variant, options })
      expect([options, pointer]).toEqual([options, expect.stringMatching(/^#\/options/)])
    }
    const hostile = JSON.parse('{"__proto__": "x", "size": "M"}')
    const body = { ...variant, options: hostile }
    expect((await refusedAt('POST', `/v1/products/${uuidv7()}/variants`, body)).length).toBeGreaterThan(0)
  })
  test('a currency that nobody pays in', async () => {
    const product = { sku: 'C-1', title: 'Tea', priceMinor: 1, currency: 'EEE', onHand: 1 }
    expect(await refusedAt('POST', '/v1/products', product)).toEqual(['#/currency'])
  })
  test('weight, tax class, description and store of a product', async () => {
    const product = { sku: 'C-1', title: 'Tea', priceMinor: 1, currency: 'EUR', onHand: 1 }
    for (const [field, values] of Object.entries({
      weightG: [-1, 1.5, 10_000_001],
      taxClass: ['luxury', null],
      description: ['a\u0007', 'a\tb', '\u2066x', 'x'.repeat(4_001)],
      storeId: ['main', ''],
    }))
      for (const value of values)
        expect(await refusedAt('POST', '/v1/products', { ...product, [field]: value })).toEqual([
          `#/${field}`,
        ])
  })
})

test('customers open no stores', async () => {
  const body = { ...trattoria }
  const buyer = await edge.tokenFor(customer())
  for (const [method, path] of [
    ['POST', '/v1/stores'],
    ['PATCH', `/v1/stores/${mainStoreId}`],
    ['PATCH', `/v1/stores/${mainStoreId}/accepting`],
    ['PUT', `/v1/stores/${mainStoreId}/tax-rates`],
    ['POST', `/v1/products/${uuidv7()}/variants`],
    ['PATCH', `/v1/products/${uuidv7()}`],
  ] as const) {
    expect([path, (await edge.ask(method, path, { token: buyer, key: uuidv7(), body })).status]).toEqual([
      path,
      403,
    ])
    expect([path, (await edge.ask(method, path, { key: uuidv7(), body })).status]).toEqual([path, 401])
  }
})
