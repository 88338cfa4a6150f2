import { allocate, includedIn, portionOf } from '../../queues/money.ts'

/** A tax of a store: what it charges on goods of one class that go to one country. */
export interface TaxRate {
  /** ISO 3166-1 alpha-2. */
  readonly country: string
  readonly taxClass: string
  readonly ratePpm: number
  readonly name: string
}

/** What of a store decides the money of its orders. */
export interface StoreTerms {
  readonly storeId: string
  readonly pricesIncludeTax: boolean
  /** Where goods go that are not shipped. Null: nowhere that has a tax. */
  readonly country: string | null
  readonly taxes: readonly TaxRate[]
  /** The platform's part of what the store earns. */
  readonly commissionPpm: number
}

/** How much less the goods cost: a part of them, or an amount and no more than all of them. */
export type Reduction = { readonly ratePpm: number } | { readonly amountMinor: number }

export interface Goods {
  readonly sku: string
  readonly title: string
  readonly quantity: number
  readonly unitPriceMinor: number
  readonly taxClass: string
}

export interface Purchase {
  readonly goods: readonly Goods[]
  readonly store: StoreTerms
  readonly reduction: Reduction | null
  readonly shipping: { readonly amountMinor: number; readonly country: string } | null
}

/** A line as it is saved; a type and not an interface, like those below, so that it passes as JSON. */
export type Line = {
  readonly sku: string
  readonly title: string
  readonly quantity: number
  readonly unitPriceMinor: number
  /** Of the goods, before discount and tax. */
  readonly totalMinor: number
  readonly discountMinor: number
  /** On top of the price or contained in it, as the store says for all its prices. */
  readonly taxMinor: number
  readonly taxRatePpm: number
}

/** One tax of an order, over its lines and its shipping. */
export type Tax = {
  readonly name: string
  readonly country: string
  readonly ratePpm: number
  /** What is taxed, without the tax. */
  readonly baseMinor: number
  readonly taxMinor: number
}

/** To whom a part of the total belongs: an account of the ledger. */
export type Share = { readonly account: string; readonly amountMinor: number }

export interface Money {
  readonly lines: readonly Line[]
  readonly goodsMinor: number
  readonly discountMinor: number
  readonly shippingMinor: number
  readonly taxMinor: number
  readonly pricesIncludeTax: boolean
  readonly totalMinor: number
  readonly taxes: readonly Tax[]
  /** Adds up to the total; nobody is in it with nothing. */
  readonly split: readonly Share[]
}

/**
 * What a purchase costs, in minor units of its currency, whatever that is. The discount is split over the lines in
 * proportion to what they cost. Tax is computed for each line and for the shipping on what is left of their price, at
 * the rate of the country that the goods go to, half up; shipping is of the class `shipping` where the store taxes that,
 * else of `standard`, and its price includes tax if the prices of the store do.
 * Null if the goods or the total are more than an amount of money can hold.
 */
export function priceOf({ goods, store, reduction, shipping }: Purchase): Money | null {
  const totals = goods.map(each => each.quantity * each.unitPriceMinor)
  // Sums and products of safe integers are exact up to the limit, and above it no rounding brings them below.
  const goodsMinor = sum(totals)
  if (goodsMinor > Number.MAX_SAFE_INTEGER) return null
  const discountMinor = reduction === null ? 0 : reductionOf(goodsMinor, reduction)
  const discounts = discountMinor === 0 ? null : allocate(discountMinor, totals)
  const taxed = createTaxes(store, shipping?.country ?? store.country)

  const lines = goods.map(({ sku, title, quantity, unitPriceMinor, taxClass }, at): Line => {
    const totalMinor = totals[at] ?? 0
    const lineDiscount = discounts?.[at] ?? 0
    const tax = taxed.on(totalMinor - lineDiscount, [taxClass])
    return { sku, title, quantity, unitPriceMinor, totalMinor, discountMinor: lineDiscount, ...tax }
  })
  const shippingMinor = shipping?.amountMinor ?? 0
  const shippingTax = taxed.on(shippingMinor, ['shipping', 'standard'])

  const taxMinor = sum(lines.map(line => line.taxMinor)) + shippingTax.taxMinor
  const { pricesIncludeTax } = store
  const totalMinor = goodsMinor - discountMinor + shippingMinor + (pricesIncludeTax ? 0 : taxMinor)
  if (totalMinor > Number.MAX_SAFE_INTEGER) return null
  return {
    ...{ lines, goodsMinor, discountMinor, shippingMinor, taxMinor, pricesIncludeTax, totalMinor },
    taxes: taxed.all(),
    split: splitOf(totalMinor, taxMinor, taxed.country, store),
  }
}

const sum = (amounts: readonly number[]): number => amounts.reduce((total, each) => total + each, 0)

const reductionOf = (goodsMinor: number, reduction: Reduction): number =>
  'ratePpm' in reduction
    ? portionOf(goodsMinor, reduction.ratePpm)
    : Math.min(reduction.amountMinor, goodsMinor)

/** Computes the taxes of one purchase and keeps their sums. */
function createTaxes({ taxes, pricesIncludeTax }: StoreTerms, country: string | null) {
  const here = taxes.filter(tax => tax.country === country)
  const sums = new Map<string, Tax>()
  return {
    country,
    /** The tax on an amount, at the rate of the first of these classes that is taxed there. */
    on: (amountMinor: number, classes: readonly string[]) => {
      const rate = classes.map(name => here.find(tax => tax.taxClass === name)).find(Boolean)
      if (rate === undefined || amountMinor === 0) return { taxMinor: 0, taxRatePpm: rate?.ratePpm ?? 0 }
      const { name, ratePpm } = rate
      const taxMinor = pricesIncludeTax ? includedIn(amountMinor, ratePpm) : portionOf(amountMinor, ratePpm)
      const key = `${ratePpm} ${name}`
      const known = sums.get(key) ?? { name, country: rate.country, ratePpm, baseMinor: 0, taxMinor: 0 }
      const baseMinor = known.baseMinor + amountMinor - (pricesIncludeTax ? taxMinor : 0)
      sums.set(key, { ...known, baseMinor, taxMinor: known.taxMinor + taxMinor })
      return { taxMinor, taxRatePpm: ratePpm }
    },
    all: () => [...sums.values()],
  }
}

/** The tax is the country's, the rest the store's but for the commission on it. */
function splitOf(totalMinor: number, taxMinor: number, country: string | null, store: StoreTerms): Share[] {
  const earnedMinor = totalMinor - taxMinor
  const commissionMinor = portionOf(earnedMinor, store.commissionPpm)
  return [
    { account: `store:${store.storeId}`, amountMinor: earnedMinor - commissionMinor },
    { account: `tax:${country}`, amountMinor: taxMinor },
    { account: 'commission', amountMinor: commissionMinor },
  ].filter(share => share.amountMinor > 0)
}
