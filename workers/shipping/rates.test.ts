import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { InputOf } from '../../queues/command.ts'
import { findRates, type forgetRates, setTableRates, type TableService } from '../../queues/rates.ts'
import type { TestKernel } from '../../test/harness.ts'
import { carryOut, jobOf, outputOf, somebody } from '../../test/trade.ts'
import { address, dumpShipping, openShipping, type ShippingWorld } from './service.fixture.ts'

let world: ShippingWorld
let kernel: TestKernel
let sql: Sql
beforeAll(async () => {
  world = await openShipping()
  ;({ kernel, sql } = world)
})
afterAll(() => world.stop())

let products = 0
/** A product of a store, by its SKU: 700 g for 25.00, unless said. */
async function addProduct({
  storeId,
  currency = 'EUR',
  weightG = 700,
}: {
  readonly storeId: string
  readonly currency?: string
  readonly weightG?: number
}) {
  const sku = `HEAVY-${++products}`
  await kernel.sql`
    with product as (
      insert into catalog.products (id, sku, title, price_minor, currency, created_at, store_id, weight_g)
      values (${uuidv7()}, ${sku}, 'A thing', 2500, ${currency}, now(), ${storeId}, ${weightG}) returning sku
    ) insert into catalog.stock (sku, on_hand) select sku, 100 from product`
  return sku
}
async function addStore() {
  const id = uuidv7()
  await kernel.sql`insert into catalog.stores (id, kind, name, capture, address, created_at)
    values (${id}, 'shop', 'Another', 'automatic', '{"country": "DE"}', now())`
  return id
}
const standard = (given: Partial<TableService> = {}): TableService => ({
  name: 'Standard',
  countries: ['DE', 'AT'],
  bands: [
    { upToG: 1_000, amountMinor: 490 },
    { upToG: 5_000, amountMinor: 990 },
  ],
  currency: 'EUR',
  etaDays: 2,
  ...given,
})
const setTable = (storeId: string, services: TableService[]) =>
  kernel.run(setTableRates, { storeId, services })
const find = (input: InputOf<typeof findRates>, actor = somebody()) => kernel.run(findRates, input, { actor })
/** A product of a store of its own, with these rates. */
async function onOffer(services: TableService[]) {
  const storeId = await addStore()
  await setTable(storeId, services)
  return { storeId, sku: await addProduct({ storeId }) }
}

describe('shipping.set-table-rates', () => {
  test('of a store that is not there is refused', async () => {
    expect((await setTable(uuidv7(), [standard()])).result).toMatchObject({ code: 'store_not_found' })
  })
  test('what is wrong is named by its field, and nothing of it is kept', async () => {
    const storeId = await addStore()
    await setTable(storeId, [standard()])
    const wrong = standard({
      carrier: 'pigeon',
      countries: ['DE', 'XX'],
      bands: [
        { upToG: 2_000, amountMinor: 1 },
        { upToG: 2_000, amountMinor: 2 },
      ],
    })
    const { result } = await setTable(storeId, [standard(), standard({ etaDays: 3 }), wrong])
    const refusal = result as { code: string; detail: { fields: { pointer: string }[] } }
    expect(refusal.code).toBe('rates_invalid')
    expect(refusal.detail.fields.map(each => each.pointer)).toEqual([
      '#/services/1/name',
      '#/services/2/carrier',
      '#/services/2/countries/1',
      '#/services/2/bands/1/upToG',
    ])
    const [kept] = await sql`select services from shipping.rate_tables where store_id = ${storeId}`
    expect(kept?.services).toEqual([standard()])
  })
  test('twice is once', async () => {
    const job = jobOf<typeof setTableRates>({ storeId: await addStore(), services: [standard()] })
    const set = async () => carryOut(sql, await world.at()['shipping.set-table-rates'](job))
    const first = await set()
    const before = await dumpShipping(kernel.sql)
    expect(await set()).toEqual(first)
    expect(await dumpShipping(kernel.sql)).toEqual(before)
  })
})

describe('shipping.find-rates', () => {
  test('offers what the store and the carriers ask for the weight of the basket, the cheapest first', async () => {
    const { storeId, sku } = await onOffer([standard()])
    const other = await addProduct({ storeId, weightG: 300 })
    const lines = [
      { sku, quantity: 1 },
      { sku: other, quantity: 1 },
      { sku, quantity: 2 },
    ]
    const { result } = await find({ lines, destination: address() })
    expect(result).toMatchObject({
      storeId,
      weightG: 2_400,
      lines: [
        { sku, quantity: 3 },
        { sku: other, quantity: 1 },
      ],
      rates: [
        { source: 'carrier', carrier: 'simulator', service: 'Economy', amountMinor: 660, etaDays: 3 },
        { source: 'table', carrier: 'manual', service: 'Standard', amountMinor: 990, etaDays: 2 },
        { source: 'carrier', carrier: 'simulator', service: 'Express', amountMinor: 1_980, etaDays: 1 },
      ],
    })
  })
  test('a rate is kept for half an hour, with what it is for, and orders read it by its id', async () => {
    const { storeId, sku } = await onOffer([standard()])
    const actor = somebody()
    const lines = [{ sku, quantity: 1 }]
    const { result } = await find({ lines, destination: address() }, actor)
    const { rates } = result as { rates: { rateId: string; service: string; expiresAt: string }[] }
    const offered = rates.find(each => each.service === 'Standard')
    const orders = kernel.database.sql('orders')
    const [rate] = await orders`select * from shipping.rate(${offered?.rateId ?? ''})`
    expect({ ...rate }).toEqual({
      customer_id: actor.id,
      store_id: storeId,
      lines,
      destination: address(),
      carrier: 'manual',
      service: 'Standard',
      amount_minor: 490,
      currency: 'EUR',
      eta_days: 2,
      expires_at: new Date(offered?.expiresAt ?? ''),
    })
    const [kept] =
      await sql`select expires_at - now() between interval '29 minutes' and interval '30 minutes' as half_an_hour
      from shipping.rates where id = ${offered?.rateId ?? ''}`
    expect(kept?.half_an_hour).toBe(true)
    expect(await orders`select * from shipping.rate(${uuidv7()})`).toHaveLength(0)
    await expect(orders`select from shipping.rates`).rejects.toThrow('permission denied')
    const others = kernel.database.sql('catalog')
    await expect(others`select * from shipping.rate(${uuidv7()})`).rejects.toThrow('permission denied')
  })
  for (const [how, postalCode] of [
    ['is silent', 'SIM-SILENT'],
    ['fails', 'SIM-ERROR'],
  ] as const)
    test(`a carrier that ${how} is offered at the rates that the table has for it`, async () => {
      const { sku } = await onOffer([
        standard({ carrier: 'simulator', name: 'Economy' }),
        standard({ bands: [{ upToG: 5_000, amountMinor: 100 }] }),
      ])
      const { result } = await find({ lines: [{ sku, quantity: 1 }], destination: address({ postalCode }) })
      expect(result).toMatchObject({
        rates: [
          { source: 'table', carrier: 'manual', amountMinor: 100 },
          { source: 'table', carrier: 'simulator', service: 'Economy', amountMinor: 490 },
        ],
      })
      expect((result as { rates: unknown[] }).rates).toHaveLength(2)
    })
  test('a carrier that keeps failing is not asked any more, and the table counts at once', async () => {
    const { sku } = await onOffer([standard({ carrier: 'simulator', name: 'Economy' })])
    let calls = 0
    const failing = world.at(() => ({
      rates: async () => {
        calls++
        throw new Error('it is broken')
      },
    }))
    const ask = async () =>
      outputOf(
        await carryOut(
          sql,
          await failing['shipping.find-rates'](
            jobOf<typeof findRates>({ lines: [{ sku, quantity: 1 }], destination: address() }),
          ),
        ),
      )
    for (let times = 0; times < 60; times++) await ask()
    expect(calls).toBeLessThan(60)
    expect((await ask()).rates).toMatchObject([{ source: 'table', carrier: 'simulator' }])
  })
  test('a carrier that does not go there is not offered, whatever the table says of it', async () => {
    const { sku } = await onOffer([standard({ carrier: 'simulator' }), standard({ name: 'Own van' })])
    const { result } = await find({
      lines: [{ sku, quantity: 1 }],
      destination: address({ postalCode: 'SIM-NOWHERE' }),
    })
    expect((result as { rates: object[] }).rates).toMatchObject([{ carrier: 'manual', service: 'Own van' }])
  })
  test('goods of the amount that the table names are sent for nothing; of a unit less are not', async () => {
    const to = { destination: address({ postalCode: 'SIM-NOWHERE' }) }
    const costOf = async (freeFromMinor: number) => {
      const { sku } = await onOffer([standard({ freeFromMinor })])
      const { result } = await find({ lines: [{ sku, quantity: 2 }], ...to })
      return (result as { rates: { amountMinor: number }[] }).rates[0]?.amountMinor
    }
    expect([await costOf(5_000), await costOf(5_001)]).toEqual([0, 990])
  })

  test('lines that are not sold here, or are of several stores, or in several currencies, are refused', async () => {
    const [one, other] = [await onOffer([standard()]), await onOffer([standard()])]
    const dollars = await addProduct({ storeId: one.storeId, currency: 'USD' })
    const refusalOf = async (...skus: string[]) =>
      (await find({ lines: skus.map(sku => ({ sku, quantity: 1 })), destination: address() })).result
    expect(await refusalOf(one.sku, 'NO-SUCH')).toMatchObject({
      code: 'unknown_product',
      detail: { skus: ['NO-SUCH'] },
    })
    expect(await refusalOf(one.sku, other.sku)).toMatchObject({
      code: 'several_stores',
      detail: { storeIds: [one.storeId, other.storeId].sort() },
    })
    expect(await refusalOf(one.sku, dollars)).toMatchObject({
      code: 'mixed_currencies',
      detail: { currencies: ['EUR', 'USD'] },
    })
  })
  test('a country that there is not, and an address that the carrier does not know, are refused by their field', async () => {
    const { sku } = await onOffer([])
    const refusalTo = async (destination: Parameters<typeof address>[0]) =>
      (await find({ lines: [{ sku, quantity: 1 }], destination: address(destination) })).result
    expect(await refusalTo({ country: 'XX' })).toMatchObject({
      code: 'destination_invalid',
      detail: { fields: [{ pointer: '#/destination/country' }] },
    })
    expect(await refusalTo({ postalCode: 'SIM-UNKNOWN' })).toMatchObject({
      code: 'destination_invalid',
      detail: { fields: [{ pointer: '#/destination/postalCode' }] },
    })
  })
  test('where nobody goes, or with what is too heavy, there are no rates', async () => {
    const { sku } = await onOffer([standard()])
    const refusalOf = async (quantity: number, country: string) => {
      const destination = address({ postalCode: 'SIM-NOWHERE', country })
      return ((await find({ lines: [{ sku, quantity }], destination })).result as { code?: string }).code
    }
    expect([await refusalOf(1, 'FR'), await refusalOf(8, 'DE')]).toEqual(['no_rates', 'no_rates'])
  })
  test('twice is once: the second run answers what the first has kept', async () => {
    const { sku } = await onOffer([standard()])
    const job = jobOf<typeof findRates>({ lines: [{ sku, quantity: 1 }], destination: address() })
    const run = async () => carryOut(sql, await world.at()['shipping.find-rates'](job))
    const first = await run()
    const before = await dumpShipping(kernel.sql)
    expect(await run()).toEqual(first)
    expect(await dumpShipping(kernel.sql)).toEqual(before)
  })
})

test('shipping.forget-rates: a rate is kept for a day after it expired; twice is once', async () => {
  const keep = async (hours: number) => {
    const id = uuidv7()
    await kernel.sql`
      insert into shipping.rates (id, request_id, customer_id, store_id, lines, destination, weight_g, source, carrier,
        service, amount_minor, currency, eta_days, expires_at)
      values (${id}, ${uuidv7()}, ${uuidv7()}, ${uuidv7()}, '[]', '{}', 100, 'table', 'manual', 'Standard', 490, 'EUR', 2,
        now() + ${hours} * interval '1 hour')`
    return id
  }
  const [fresh, expired, old] = [await keep(1), await keep(-23), await keep(-25)]
  const ids = [fresh, expired, old]
  const left = async () =>
    (await sql`select id from shipping.rates where id = any(${ids}) order by id`).map(row => row.id)
  const forget = async () =>
    outputOf(await carryOut(sql, await world.at()['shipping.forget-rates'](jobOf<typeof forgetRates>({}))))
  expect(await left()).toContain(fresh)
  await forget()
  expect(await left()).toEqual([fresh, expired])
  expect(await forget()).toEqual({ rates: 0 })
  expect(await left()).toEqual([fresh, expired])
})
