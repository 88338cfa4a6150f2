import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Actor } from '../../queues/access.ts'
import { createProduct } from '../../queues/catalog.ts'
import type { InputOf, OutputOf } from '../../queues/command.ts'
import type { Address } from '../../queues/fulfilment.ts'
import type { Order } from '../../queues/order-views.ts'
import { pay, place, quote } from '../../queues/orders.ts'
import { findRates, setTableRates } from '../../queues/rates.ts'
import { createStore, mainStoreId, setAccepting, setTaxRates, updateStore } from '../../queues/stores.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { broken, carryOut, dump, jobOf, somebody } from '../../test/trade.ts'
import { catalogService } from '../catalog/index.ts'
import { paymentsService } from '../payments/index.ts'
import { shippingService } from '../shipping/index.ts'
import { handlers } from './commands.ts'
import { ordersService } from './index.ts'
import { tokens } from './quoting.fixture.ts'

let kernel: TestKernel
beforeAll(async () => {
  kernel = await testKernel({ services: [catalogService, ordersService, paymentsService, shippingService] })
})
afterAll(() => kernel.stop())

type Rates = InputOf<typeof setTaxRates>['rates']
const vat = (country: string, taxClass: Rates[number]['taxClass'], ratePpm: number) => ({
  ...{ country, taxClass, ratePpm, name: 'VAT' },
})
const german = [vat('DE', 'standard', 190_000), vat('DE', 'reduced', 70_000)]
async function aStore({
  rates = german,
  pricesIncludeTax = false,
  ...given
}: Partial<InputOf<typeof createStore>> & { rates?: Rates; pricesIncludeTax?: boolean } = {}) {
  const address = { line1: 'Torstraße 1', city: 'Berlin', postalCode: '10119', country: 'DE' }
  const store = { kind: 'shop', name: 'Tea & more', address, timeZone: 'Europe/Berlin', ...given } as const
  const { id: storeId } = await kernel.run(createStore, store)
  await kernel.run(setTaxRates, { storeId, pricesIncludeTax, rates })
  return storeId
}
let products = 0
async function aProduct(storeId: string, priceMinor: number, given: { taxClass?: 'reduced' } = {}) {
  const sku = `TERMS-${++products}`
  const product = { sku, title: 'Tea', priceMinor, currency: 'EUR', onHand: 100, weightG: 500, storeId }
  await kernel.run(createProduct, { ...product, ...given })
  return sku
}
const address = (country = 'DE'): Address => ({
  ...{ name: 'Some Buyer', line1: 'Hauptstr. 1', city: 'Berlin', postalCode: '10115', country },
})
/** A rate of 6.44 for these lines. */
async function aRate(
  storeId: string,
  lines: { sku: string; quantity: number }[],
  actor: Actor,
  country = 'DE',
) {
  const bands = [{ upToG: 100_000, amountMinor: 644 }]
  const service = { name: 'Standard', countries: ['*'], bands, currency: 'EUR', etaDays: 2 }
  await kernel.run(setTableRates, { storeId, services: [service] })
  const { result } = await kernel.run(findRates, { lines, destination: address(country) }, { actor })
  return (result as OutputOf<typeof findRates>).rates[0]?.rateId ?? ''
}
const order = (input: object, actor: Actor = somebody()) =>
  kernel.run(place, { paymentMethod: 'pm_card_ok', ...input } as InputOf<typeof place>, { actor })
const ask = async (input: InputOf<typeof quote>, actor: Actor) => {
  const { state, result } = await kernel.run(quote, input, { actor })
  if (state !== 'succeeded') throw new Error(JSON.stringify(result))
  return result as OutputOf<typeof quote>
}
const read = async (id: string, actor: Actor) => {
  const headers = { 'x-waybill-actor': actor.id }
  const request = new Request(`http://orders.test/orders/${id}`, { headers })
  return (await (await kernel.services.routesOf('orders').handle(request)).json()) as Order
}
const chargesOf = async (orderId: string) => {
  const rows = await kernel.sql<{ input: Record<string, unknown> }[]>`
    select input from journal.commands where type = 'payments.charge' and input ->> 'orderId' = ${orderId} order by id`
  return rows.map(({ input }) => input)
}
/** Nothing but the answer is left behind. */
async function refusal(run: () => Promise<{ readonly state: string; readonly result: unknown }>) {
  await kernel.idle()
  const before = await dump(kernel.sql)
  const { state, result } = await run()
  expect([state, await dump(kernel.sql)]).toEqual(['rejected', before])
  return result
}

describe('tax', () => {
  test('is added to prices that exclude it, line by line, and told with the order', async () => {
    const storeId = await aStore()
    const actor = somebody()
    const cup = await aProduct(storeId, 1_999)
    const book = await aProduct(storeId, 505, { taxClass: 'reduced' })
    const lines = [cup, book].map(sku => ({ sku, quantity: 1 }))
    const { id, result } = await order({ lines }, actor)
    expect(result).toMatchObject({ totalMinor: 2_504 + 380 + 35 })
    await kernel.idle()
    const { lines: placed, ...told } = await read(id, actor)
    expect(told).toMatchObject({
      ...{ state: 'paid', storeId, goodsMinor: 2_504, taxMinor: 415, totalMinor: 2_919 },
      ...{ discountMinor: 0, shippingMinor: 0, pricesIncludeTax: false, shipping: null, discountCode: null },
      taxes: [
        { name: 'VAT', country: 'DE', ratePpm: 190_000, baseMinor: 1_999, taxMinor: 380 },
        { name: 'VAT', country: 'DE', ratePpm: 70_000, baseMinor: 505, taxMinor: 35 },
      ],
    })
    expect(placed.map(({ sku, taxMinor, taxRatePpm }) => ({ sku, taxMinor, taxRatePpm }))).toEqual([
      { sku: cup, taxMinor: 380, taxRatePpm: 190_000 },
      { sku: book, taxMinor: 35, taxRatePpm: 70_000 },
    ])
  })
  test('that prices include changes no total', async () => {
    const storeId = await aStore({ pricesIncludeTax: true })
    const actor = somebody()
    const { id } = await order({ lines: [{ sku: await aProduct(storeId, 1_190), quantity: 2 }] }, actor)
    const told = { goodsMinor: 2_380, taxMinor: 380, totalMinor: 2_380, pricesIncludeTax: true }
    expect(await read(id, actor)).toMatchObject(told)
  })
  test('that changes after a quote makes its order price_changed, also where the total stays the same', async () => {
    for (const [pricesIncludeTax, totalMinor] of [
      [false, 1_200],
      [true, 1_000],
    ] as const) {
      const storeId = await aStore({ pricesIncludeTax })
      const actor = somebody()
      const lines = [{ sku: await aProduct(storeId, 1_000), quantity: 1 }]
      const { token } = await ask({ lines }, actor)
      await kernel.run(setTaxRates, { storeId, pricesIncludeTax, rates: [vat('DE', 'standard', 200_000)] })
      const detail = { totalMinor, currency: 'EUR' }
      expect(await refusal(() => order({ quote: token }, actor))).toEqual({ code: 'price_changed', detail })
      await kernel.run(setTaxRates, { storeId, pricesIncludeTax, rates: german })
      expect((await order({ quote: token }, actor)).state).toBe('succeeded')
    }
  })
  test('that changes between the look and the reservation stops the order, and the next attempt takes it', async () => {
    const storeId = await aStore({ pricesIncludeTax: true })
    const lines = [{ sku: await aProduct(storeId, 1_000), quantity: 1 }]
    const sql = kernel.database.sql('orders')
    const job = jobOf<typeof place>({ lines, paymentMethod: 'pm_card_ok' })
    const effects = await handlers(sql, tokens)['orders.place'](job)
    await kernel.run(setTaxRates, { storeId, pricesIncludeTax: true, rates: [] })
    await expect(carryOut(sql, effects)).rejects.toThrow('a price changed')
    const again = await carryOut(sql, await handlers(sql, tokens)['orders.place'](job))
    expect(again).toMatchObject({ kind: 'done', output: { totalMinor: 1_000 } })
    await kernel.sql`update orders.orders set charging = false where id = ${job.id}`
  })
})

describe('a charge says', () => {
  test('whose each part is: the store’s, the country’s, the platform’s', async () => {
    const storeId = await aStore({ commissionPpm: 100_000 })
    const { id } = await order({ lines: [{ sku: await aProduct(storeId, 1_000), quantity: 1 }] })
    const split = [
      { account: `store:${storeId}`, amountMinor: 900 },
      { account: 'tax:DE', amountMinor: 190 },
      { account: 'commission', amountMinor: 100 },
    ]
    const [charge, ...more] = await chargesOf(id)
    expect([charge, more]).toEqual([expect.objectContaining({ amountMinor: 1_190, storeId, split }), []])
    expect(charge?.capture).toBeUndefined()
  })
  test('the same when it is asked for again, and that the money is only set aside where the store says so', async () => {
    const storeId = await aStore({ capture: 'manual' })
    const actor = somebody()
    const lines = [{ sku: await aProduct(storeId, 1_000), quantity: 1 }]
    const { id } = await order({ lines, paymentMethod: 'pm_card_declined' }, actor)
    await kernel.idle()
    await kernel.run(pay, { orderId: id, paymentMethod: 'pm_card_ok' }, { actor })
    const said = (await chargesOf(id)).map(({ storeId: of, split, capture }) => ({ of, split, capture }))
    const shares = [
      { account: `store:${storeId}`, amountMinor: 1_000 },
      { account: 'tax:DE', amountMinor: 190 },
    ]
    expect(said).toEqual([1, 2].map(() => ({ of: storeId, split: shares, capture: 'manual' })))
  })
  test('that all of it is the main store’s, for a product of no other, and nothing of an order that is free', async () => {
    const main = [{ account: `store:${mainStoreId}`, amountMinor: 350 }]
    for (const [priceMinor, split] of [
      [350, main],
      [0, undefined],
    ] as const) {
      const { id } = await order({ lines: [{ sku: await aProduct(mainStoreId, priceMinor), quantity: 1 }] })
      expect((await chargesOf(id)).map(each => each.split)).toEqual([split])
    }
  })
})

describe('an order is refused, and nothing is kept', () => {
  test('several_stores: a quote too', async () => {
    const stores = [await aStore(), await aStore()].sort()
    const lines = await Promise.all(stores.map(async id => ({ sku: await aProduct(id, 1), quantity: 1 })))
    const refused = { code: 'several_stores', detail: { storeIds: stores } }
    expect(await refusal(() => order({ lines }))).toEqual(refused)
    expect(await refusal(() => kernel.run(quote, { lines }))).toEqual(refused)
  })
  test('store_closed: with the time when it opens, if that is known; a quote can be had', async () => {
    const storeId = await aStore()
    const lines = [{ sku: await aProduct(storeId, 1_000), quantity: 1 }]
    const actor = somebody()
    await kernel.run(setAccepting, { storeId, accepting: false })
    const refused = { code: 'store_closed', detail: { opensAt: null } }
    expect(await refusal(() => order({ lines }))).toEqual(refused)
    const { token } = await ask({ lines }, actor)
    expect(await refusal(() => order({ quote: token }, actor))).toEqual(refused)
    await kernel.run(setAccepting, { storeId, accepting: true })
    const tomorrow = ((new Date(Date.now() + 30 * 3_600_000).getUTCDay() + 6) % 7) + 1
    const openingHours = [{ day: tomorrow, opens: '12:00', closes: '12:01' }]
    await kernel.run(updateStore, { storeId, timeZone: 'UTC', openingHours })
    const { detail } = (await refusal(() => order({ lines }))) as { detail: { opensAt: string } }
    expect(Date.parse(detail.opensAt)).toBeGreaterThan(Date.now())
  })
  test('store_closed: also when it closes between the look and the reservation', async () => {
    const storeId = await aStore()
    const lines = [{ sku: await aProduct(storeId, 1_000), quantity: 1 }]
    const sql = kernel.database.sql('orders')
    const job = jobOf<typeof place>({ lines, paymentMethod: 'pm_card_ok' })
    const effects = await handlers(sql, tokens)['orders.place'](job)
    await kernel.run(setAccepting, { storeId, accepting: false })
    await kernel.idle()
    const before = await dump(kernel.sql)
    expect(await carryOut(sql, effects)).toMatchObject({ kind: 'rejected', code: 'store_closed' })
    expect(await dump(kernel.sql)).toEqual(before)
  })
  test('rate_invalid, rate_expired and rate_mismatch: a quote too', async () => {
    const storeId = await aStore()
    const actor = somebody()
    const lines = [{ sku: await aProduct(storeId, 1_000), quantity: 2 }]
    const shippingRateId = await aRate(storeId, lines, actor)
    const refused = async (input: object, by = actor) => {
      const first = await refusal(() => order({ lines, shippingRateId, ...input }, by))
      const wish = { lines, shippingRateId, ...input }
      expect(await refusal(() => kernel.run(quote, wish, { actor: by }))).toEqual(first)
      return first
    }
    const code = (name: string) => ({ code: name, detail: null })
    expect(await refused({ shippingRateId: uuidv7() })).toEqual(code('rate_invalid'))
    expect(await refused({}, somebody())).toEqual(code('rate_invalid'))
    const other = [{ sku: await aProduct(await aStore(), 1_000), quantity: 2 }]
    for (const [wrong, differs] of [
      [[{ ...lines[0], quantity: 1 }], ['lines']],
      [other, ['lines', 'store']],
    ] as const)
      expect(await refused({ lines: wrong })).toEqual({ code: 'rate_mismatch', detail: { differs } })
    await kernel.sql`update shipping.rates set expires_at = now() where id = ${shippingRateId}`
    expect(await refused({})).toEqual(code('rate_expired'))
  })
})

describe('a shipping rate', () => {
  test('is paid for, taxed as the country that it goes to taxes shipping, and kept with the address', async () => {
    const rates = [vat('US', 'standard', 107_500), vat('US', 'shipping', 0), ...german]
    const storeId = await aStore({ rates })
    const actor = somebody()
    const lines = [{ sku: await aProduct(storeId, 2_499), quantity: 1 }]
    for (const [country, taxMinor] of [
      ['US', 269],
      ['DE', 475 + 122],
    ] as const) {
      const shippingRateId = await aRate(storeId, lines, actor, country)
      const { id } = await order({ lines, shippingRateId }, actor)
      const told = await read(id, actor)
      const sums = { goodsMinor: 2_499, shippingMinor: 644, taxMinor, totalMinor: 2_499 + 644 + taxMinor }
      expect(told).toMatchObject(sums)
      const destination = address(country)
      expect(told.shipping).toEqual({
        ...{ rateId: shippingRateId, carrier: 'manual', service: 'Standard', etaDays: 2 },
        ...{ amountMinor: 644, destination },
      })
    }
  })
  test('is held by a quote, no longer than the rate is good, even if it is gone when the order is worked on', async () => {
    const storeId = await aStore()
    const actor = somebody()
    const lines = [{ sku: await aProduct(storeId, 1_000), quantity: 1 }]
    const shippingRateId = await aRate(storeId, lines, actor)
    const [rate] = await kernel.sql`
      update shipping.rates set expires_at = now() + interval '1 minute' where id = ${shippingRateId} returning expires_at`
    const quoted = await ask({ lines, shippingRateId }, actor)
    expect(quoted).toMatchObject({ shippingMinor: 644, taxMinor: 190 + 122, totalMinor: 1_956 })
    expect(new Date(quoted.expiresAt)).toEqual(rate?.expires_at)
    await kernel.sql`delete from shipping.rates where id = ${shippingRateId}`
    const { id } = await order({ quote: quoted.token }, actor)
    expect(await read(id, actor)).toMatchObject({ totalMinor: 1_956, shipping: quoted.shipping as object })
  })
})

test('afterwards no invariant is broken', async () => {
  await kernel.idle()
  expect(await broken(kernel.sql)).toEqual([])
})
