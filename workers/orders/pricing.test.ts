import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { includedIn, portionOf } from '../../queues/money.ts'
import { type Goods, type Money, type Purchase, priceOf, type StoreTerms } from './pricing.ts'

const main: StoreTerms = {
  storeId: 'main',
  pricesIncludeTax: false,
  country: null,
  taxes: [],
  commissionPpm: 0,
}
const vat = (country: string, taxClass: string, ratePpm: number) => ({
  country,
  taxClass,
  ratePpm,
  name: 'VAT',
})
const german = {
  ...main,
  country: 'DE',
  taxes: [vat('DE', 'standard', 190_000), vat('DE', 'reduced', 70_000)],
}
const piece = (unitPriceMinor: number, taxClass = 'standard', quantity = 1): Goods => ({
  ...{ sku: `S${unitPriceMinor}-${taxClass}`, title: 'Tea', quantity, unitPriceMinor, taxClass },
})
const priced = (given: Partial<Purchase>): Money => {
  const money = priceOf({ goods: [], store: main, reduction: null, shipping: null, ...given })
  if (money === null) throw new Error('too large')
  return money
}
const sum = (amounts: readonly number[]) => amounts.reduce((total, each) => total + BigInt(each), 0n)

const ppm = fc.integer({ min: 0, max: 1_000_000 })
const minor = fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 1_000_000_000_000 }))
const classes = fc.constantFrom('standard', 'reduced', 'shipping', 'books')
const country = fc.constantFrom('DE', 'FR')
const purchase: fc.Arbitrary<Purchase> = fc.record({
  goods: fc.array(
    fc.record({
      sku: fc.string(),
      title: fc.string(),
      quantity: fc.integer({ min: 1, max: 100 }),
      unitPriceMinor: minor,
      taxClass: classes,
    }),
    { minLength: 1, maxLength: 8 },
  ),
  store: fc.record({
    storeId: fc.uuid(),
    pricesIncludeTax: fc.boolean(),
    country: fc.option(country),
    taxes: fc.uniqueArray(fc.record({ country, taxClass: classes, ratePpm: ppm, name: fc.constant('VAT') }), {
      selector: tax => `${tax.country} ${tax.taxClass}`,
    }),
    commissionPpm: ppm,
  }),
  reduction: fc.option(fc.oneof(fc.record({ ratePpm: ppm }), fc.record({ amountMinor: minor }))),
  shipping: fc.option(fc.record({ amountMinor: minor, country })),
})
const always = (check: (money: Money, of: Purchase) => void) =>
  fc.assert(fc.property(purchase, of => check(priced(of), of)))

describe('whatever is bought', () => {
  test('the total is goods less discount plus shipping, and tax where prices do not include it', () =>
    always(money => {
      const { goodsMinor, discountMinor, shippingMinor, taxMinor, pricesIncludeTax, totalMinor } = money
      expect(totalMinor).toBe(goodsMinor - discountMinor + shippingMinor + (pricesIncludeTax ? 0 : taxMinor))
    }))
  test('goods, discount and taxes are the sums of their parts, to the last minor unit', () =>
    always((money, { shipping }) => {
      const { lines, taxes } = money
      expect(sum(lines.map(line => line.totalMinor))).toBe(BigInt(money.goodsMinor))
      expect(sum(lines.map(line => line.discountMinor))).toBe(BigInt(money.discountMinor))
      expect(sum(taxes.map(tax => tax.taxMinor))).toBe(BigInt(money.taxMinor))
      const ofLines = sum(lines.map(line => line.taxMinor))
      expect(BigInt(money.taxMinor) - ofLines === 0n || (shipping?.amountMinor ?? 0) > 0).toBe(true)
    }))
  test('no part is negative, and no line has a discount above what it costs', () =>
    always(({ lines, taxes, split, ...sums }) => {
      const { goodsMinor, discountMinor, shippingMinor, taxMinor, totalMinor } = sums
      for (const part of [goodsMinor, discountMinor, shippingMinor, taxMinor, totalMinor])
        expect(part).toBeGreaterThanOrEqual(0)
      for (const line of lines) {
        expect(Math.min(line.totalMinor, line.discountMinor, line.taxMinor)).toBeGreaterThanOrEqual(0)
        expect(line.discountMinor).toBeLessThanOrEqual(line.totalMinor)
      }
      for (const { baseMinor, taxMinor: ofIt } of taxes)
        expect(Math.min(baseMinor, ofIt)).toBeGreaterThanOrEqual(0)
      for (const { amountMinor } of split) expect(amountMinor).toBeGreaterThan(0)
    }))
  test('the tax of a line is its rate of what the line costs after the discount, half up', () =>
    always(({ lines, pricesIncludeTax }) => {
      for (const { totalMinor, discountMinor, taxMinor, taxRatePpm } of lines) {
        const taxed = totalMinor - discountMinor
        expect(taxMinor).toBe(pricesIncludeTax ? includedIn(taxed, taxRatePpm) : portionOf(taxed, taxRatePpm))
      }
    }))
  test('included tax changes no total, and is no more than what includes it', () =>
    always((money, of) => {
      if (!of.store.pricesIncludeTax) return
      const untaxed = priced({ ...of, store: { ...of.store, taxes: [] } })
      expect(money.totalMinor).toBe(untaxed.totalMinor)
      expect(money.taxMinor).toBeLessThanOrEqual(money.totalMinor)
      const bases = sum(money.taxes.map(tax => tax.baseMinor)) + BigInt(money.taxMinor)
      expect(bases <= BigInt(money.totalMinor)).toBe(true)
    }))
  test('the ledger gets the total, all of it: the country its tax, the platform its commission, the store the rest', () =>
    always((money, { store, shipping }) => {
      const part = (account: string) => money.split.find(share => share.account === account)?.amountMinor ?? 0
      const { totalMinor, taxMinor } = money
      expect(sum(money.split.map(share => share.amountMinor))).toBe(BigInt(totalMinor))
      expect(part(`tax:${shipping?.country ?? store.country}`)).toBe(taxMinor)
      expect(part('commission')).toBe(portionOf(totalMinor - taxMinor, store.commissionPpm))
      expect(new Set(money.split.map(share => share.account)).size).toBe(money.split.length)
    }))
})

describe('tax', () => {
  test('of 24.99 at 10.75 % with 6.44 for untaxed shipping is 2.69, and the total 34.12: computed by line, half up', () => {
    const taxes = [vat('US', 'standard', 107_500), vat('US', 'shipping', 0)]
    const store = { ...main, country: 'US', taxes }
    const shipping = { amountMinor: 644, country: 'US' }
    const bought = priced({ goods: [piece(2_499)], store, shipping })
    expect(bought).toMatchObject({ goodsMinor: 2_499, shippingMinor: 644, taxMinor: 269, totalMinor: 3_412 })
    const shared = priced({ goods: [piece(2_499)], store: { ...store, taxes: taxes.slice(0, 1) }, shipping })
    expect(shared).toMatchObject({ taxMinor: 269 + 69, totalMinor: 3_481 })
  })
  test('is that of the country that the goods go to; where the store names none, there is none', () => {
    const store = { ...german, taxes: [...german.taxes, vat('FR', 'standard', 200_000)] }
    const to = (country: string) =>
      priced({ goods: [piece(1_000)], store, shipping: { amountMinor: 100, country } })
    expect([to('DE').taxMinor, to('FR').taxMinor, to('CH').taxMinor]).toEqual([190 + 19, 200 + 20, 0])
    expect(priced({ goods: [piece(1_000)], store }).taxMinor).toBe(190)
    expect(to('CH').split).toEqual([{ account: 'store:main', amountMinor: 1_100 }])
  })
  test('is told rate by rate, with what it was computed of', () => {
    const goods = [piece(1_000), piece(500, 'reduced', 2), piece(300, 'books')]
    const shipping = { amountMinor: 490, country: 'DE' }
    expect(priced({ goods, store: german, shipping }).taxes).toEqual([
      { name: 'VAT', country: 'DE', ratePpm: 190_000, baseMinor: 1_490, taxMinor: 190 + 93 },
      { name: 'VAT', country: 'DE', ratePpm: 70_000, baseMinor: 1_000, taxMinor: 70 },
    ])
    const store = { ...german, pricesIncludeTax: true }
    expect(priced({ goods, store, shipping }).taxes).toEqual([
      { name: 'VAT', country: 'DE', ratePpm: 190_000, baseMinor: 840 + 412, taxMinor: 160 + 78 },
      { name: 'VAT', country: 'DE', ratePpm: 70_000, baseMinor: 935, taxMinor: 65 },
    ])
  })
})

describe('a discount', () => {
  test('of a part or of an amount is split over the lines by what they cost, by the largest remainder', () => {
    const goods = [piece(1_000), piece(1_000), piece(1_000)]
    const parts = (reduction: Purchase['reduction']) =>
      priced({ goods, reduction }).lines.map(line => line.discountMinor)
    expect(parts({ amountMinor: 100 })).toEqual([34, 33, 33])
    expect(parts({ ratePpm: 333_333 })).toEqual([334, 333, 333])
  })
  test('is no more than the goods: shipping is still paid for, and a free order has no shares', () => {
    const goods = [piece(700)]
    const shipping = { amountMinor: 490, country: 'DE' }
    const reduction = { amountMinor: 10_000 }
    expect(priced({ goods, reduction, shipping })).toMatchObject({ discountMinor: 700, totalMinor: 490 })
    expect(priced({ goods, reduction, store: german })).toMatchObject({
      totalMinor: 0,
      taxMinor: 0,
      split: [],
    })
  })
})

describe('amounts', () => {
  test('are of any currency: nothing assumes hundredths', () => {
    const yen = priced({ goods: [piece(105)], store: german })
    expect([yen.taxMinor, yen.totalMinor]).toEqual([20, 125])
    const dinar = priced({ goods: [piece(12_345)], store: { ...german, pricesIncludeTax: true } })
    expect([dinar.taxMinor, dinar.totalMinor]).toEqual([1_971, 12_345])
  })
  test('are exact up to the largest safe integer, and nothing above it is rounded below', () => {
    const max = Number.MAX_SAFE_INTEGER
    const attempt = (given: Partial<Purchase>) =>
      priceOf({ goods: [piece(max)], store: main, reduction: null, shipping: null, ...given })
    expect(attempt({})?.totalMinor).toBe(max)
    expect(attempt({ reduction: { ratePpm: 1_000_000 } })?.totalMinor).toBe(0)
    expect(attempt({ shipping: { amountMinor: 1, country: 'DE' } })).toBeNull()
    expect(attempt({ goods: [piece(max), piece(1)] })).toBeNull()
    expect(attempt({ goods: [piece(max, 'standard', 10_000)], reduction: { amountMinor: max } })).toBeNull()
    expect(attempt({ store: german })).toBeNull()
    expect(attempt({ store: { ...german, pricesIncludeTax: true } })?.totalMinor).toBe(max)
  })
})
