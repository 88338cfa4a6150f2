import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type OrderState, orderStates } from '../../queues/order-states.ts'
import {
  type Extras,
  type Offer,
  place as placeAt,
  price as priceAt,
  receive,
  type Store,
  sourcesOf,
  transitions,
} from './domain.ts'
import { honour as honourAt, redeem } from './quote.ts'

const extras: Extras = { askedAt: new Date(), customerId: 'c1', discount: null, rate: null }
const price = (all: readonly Offer[]) => priceAt(all, extras)
const place = (all: readonly Offer[]) => placeAt(all, extras)
const honour = (quote: Parameters<typeof honourAt>[0], all: readonly Offer[]) => honourAt(quote, all, extras)
const store: Store = {
  ...{ pricesIncludeTax: false, country: null, taxes: [], commissionPpm: 0 },
  ...{ capture: 'automatic', acceptWithinMs: null, open: true, opensAt: null },
}
const sold = { title: 'Tea', currency: 'EUR', storeId: 's1', taxClass: 'standard', store }
const unsold = {
  ...{ title: null, unitPriceMinor: null, currency: null, available: null, enough: false },
  ...{ storeId: null, taxClass: null, store: null },
}

const sku = fc.stringMatching(/^[A-Z0-9]{1,8}$/)
const pieces = fc.integer({ min: 1, max: 1_000_000 })
const unitPrice = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const offer = (given: fc.Arbitrary<Partial<Offer>> = fc.constant({})): fc.Arbitrary<Offer> =>
  fc.tuple(sku, pieces, unitPrice, given).map(([name, requested, unitPriceMinor, rest]) => ({
    sku: name,
    requested,
    unitPriceMinor,
    available: requested,
    enough: true,
    ...sold,
    ...rest,
  }))
const offers = (each: fc.Arbitrary<Offer>, minLength = 1) =>
  fc.uniqueArray(each, { minLength, maxLength: 100, selector: one => one.sku })

const exactTotal = (all: readonly Offer[]) =>
  all.reduce((total, each) => total + BigInt(each.requested) * BigInt(each.unitPriceMinor ?? 0), 0n)

describe('the total of an order', () => {
  test('is the exact sum of price times pieces, or the order is refused', () => {
    fc.assert(
      fc.property(offers(offer()), all => {
        const exact = exactTotal(all)
        const verdict = place(all)
        if (exact > BigInt(Number.MAX_SAFE_INTEGER)) {
          expect(verdict).toMatchObject({ kind: 'rejected', code: 'total_too_large' })
        } else {
          expect(verdict).toMatchObject({ kind: 'priced', totalMinor: Number(exact), currency: 'EUR' })
        }
      }),
    )
  })
  test('at realistic prices is the sum of its lines, each an integer', () => {
    const cheap = offer(fc.record({ unitPriceMinor: fc.integer({ min: 0, max: 1_000_000 }) }))
    fc.assert(
      fc.property(offers(cheap), all => {
        const verdict = place(all)
        if (verdict.kind !== 'priced') throw new Error(verdict.code)
        expect(verdict.lines.every(line => line.totalMinor === line.quantity * line.unitPriceMinor)).toBe(
          true,
        )
        expect(verdict.lines.reduce((total, line) => total + line.totalMinor, 0)).toBe(verdict.totalMinor)
        expect(verdict.totalMinor).toBe(Number(exactTotal(all)))
      }),
    )
  })
  test('just above the largest amount is refused, and the largest amount itself is not', () => {
    const one = (requested: number, unitPriceMinor: number) =>
      place([{ ...sold, sku: 'A', requested, unitPriceMinor, available: requested, enough: true }]).kind
    expect(one(1, Number.MAX_SAFE_INTEGER)).toBe('priced')
    expect(one(2, 2 ** 52)).toBe('rejected')
  })
})

describe('an order is refused', () => {
  test('for every product that is not sold here, before anything else', () => {
    const mixed = offer(
      fc.constantFrom<Partial<Offer>[]>(unsold, { enough: false, available: 0 }, { currency: 'USD' }, {}),
    )
    fc.assert(
      fc.property(offers(mixed), all => {
        const missing = all.filter(each => each.title === null).map(each => each.sku)
        fc.pre(missing.length > 0)
        expect(place(all)).toEqual({ kind: 'rejected', code: 'unknown_product', detail: { skus: missing } })
      }),
    )
  })
  test('for more than one currency', () => {
    const all = offers(offer(fc.record({ currency: fc.constantFrom('EUR', 'USD', 'JPY') })), 2)
    fc.assert(
      fc.property(all, given => {
        const currencies = [...new Set(given.map(each => each.currency))].sort()
        fc.pre(currencies.length > 1)
        expect(place(given)).toEqual({ kind: 'rejected', code: 'mixed_currencies', detail: { currencies } })
      }),
    )
  })
  test('for exactly the lines that fall short, with what is left of each', () => {
    const short = fc.record({ enough: fc.constant(false), available: fc.nat(5) })
    fc.assert(
      fc.property(offers(fc.oneof(offer(), offer(short))), all => {
        const missing = all.filter(each => !each.enough)
        fc.pre(missing.length > 0)
        const shortages = missing.map(({ sku, requested, available }) => ({ sku, requested, available }))
        expect(place(all)).toEqual({ kind: 'rejected', code: 'out_of_stock', detail: { shortages } })
      }),
    )
  })
})

const cheap = offer(fc.record({ unitPriceMinor: fc.integer({ min: 0, max: 1_000_000 }) }))
const quoted = (all: readonly Offer[]) => {
  const priced = price(all)
  if (priced.kind !== 'priced') throw new Error(priced.code)
  return priced
}

describe('a quote', () => {
  test('has a total that is the sum of its lines, and is given whether or not the pieces are there', () => {
    const short = offer(fc.record({ unitPriceMinor: fc.nat(1_000_000), enough: fc.boolean() }))
    fc.assert(
      fc.property(offers(short), all => {
        const { lines, totalMinor } = quoted(all)
        expect(lines.map(line => line.sku)).toEqual(all.map(each => each.sku))
        expect(lines.reduce((total, line) => total + line.totalMinor, 0)).toBe(totalMinor)
        expect(totalMinor).toBe(Number(exactTotal(all)))
      }),
    )
  })
  test('is refused for what an order would be refused for, but for stock', () => {
    const any = offer(
      fc.constantFrom<Partial<Offer>[]>(unsold, { enough: false, available: 0 }, { currency: 'USD' }, {}),
    )
    fc.assert(
      fc.property(offers(any), all => {
        const ordered = place(all)
        if (ordered.kind === 'rejected' && ordered.code === 'out_of_stock') return
        expect(price(all)).toEqual(ordered as never)
      }),
    )
  })
})

describe('an order from a quote', () => {
  test('has its lines at its prices while those are the prices', () => {
    fc.assert(
      fc.property(offers(cheap), all => {
        const quote = quoted(all)
        const renamed = all.map(each => ({ ...each, title: 'Another name' }))
        expect(honour(quote, renamed)).toEqual(quote)
      }),
    )
  })
  test('is refused with the new total when any price is another, even if the total is the same', () => {
    fc.assert(
      fc.property(
        offers(cheap),
        fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 100 }),
        (all, steps) => {
          const changed = all.map((each, at) => ({
            ...each,
            unitPriceMinor: Math.max(0, (each.unitPriceMinor ?? 0) + (steps[at] ?? 0)),
          }))
          fc.pre(changed.some((each, at) => each.unitPriceMinor !== all[at]?.unitPriceMinor))
          const detail = { totalMinor: Number(exactTotal(changed)), currency: 'EUR' }
          expect(honour(quoted(all), changed)).toEqual({ kind: 'rejected', code: 'price_changed', detail })
        },
      ),
    )
  })
  test('is refused when the same numbers are of another currency', () => {
    fc.assert(
      fc.property(offers(cheap), all => {
        const changed = all.map(each => ({ ...each, currency: 'USD' }))
        expect(honour(quoted(all), changed)).toMatchObject({
          code: 'price_changed',
          detail: { currency: 'USD' },
        })
      }),
    )
  })
  test('is refused when the pieces are gone', () => {
    fc.assert(
      fc.property(offers(cheap), all => {
        const gone = all.map(each => ({ ...each, enough: false, available: 0 }))
        expect(honour(quoted(all), gone)).toMatchObject({ kind: 'rejected', code: 'out_of_stock' })
      }),
    )
  })
})

describe('redeeming', () => {
  const expiresAt = new Date('2026-11-21T08:00:00Z')
  const terms = { id: 'q', customerId: 'c', totalMinor: 700, currency: 'EUR', priceVersion: 'v', expiresAt }
  const quote = {
    ...{ ...terms, storeId: 's', lines: [], taxes: [], shipping: null, discountCode: null, orderId: null },
    ...{ goodsMinor: 700, discountMinor: 0, shippingMinor: 0, taxMinor: 0, pricesIncludeTax: false },
  }
  const order = { orderId: 'o', customerId: 'c', askedAt: new Date(expiresAt.getTime() - 1) }
  const code = (...[a, b, c]: Parameters<typeof redeem>) => {
    const verdict = redeem(a, b, c)
    return verdict.kind === 'rejected' ? verdict.code : verdict.kind
  }

  test('takes an open quote of the customer until the moment when it expires', () => {
    expect(code(terms, quote, order)).toBe('redeemed')
    expect(code(terms, quote, { ...order, askedAt: expiresAt })).toBe('quote_expired')
  })
  test('refuses what was not signed, is not there, is another’s, or is not what was signed', () => {
    expect(code(null, quote, order)).toBe('quote_invalid')
    expect(code(terms, null, order)).toBe('quote_invalid')
    expect(code(terms, quote, { ...order, customerId: 'd' })).toBe('quote_invalid')
    for (const other of [{ totalMinor: 1 }, { currency: 'USD' }, { priceVersion: 'w' }, { customerId: 'd' }])
      expect(code({ ...terms, ...other }, quote, order)).toBe('quote_invalid')
  })
  test('refuses a quote that another order has used, and knows its own again, however late', () => {
    const used = { ...quote, orderId: 'o' }
    const late = { ...order, askedAt: new Date(expiresAt.getTime() + 1) }
    expect(code(terms, used, late)).toBe('redeemed')
    expect(redeem(terms, used, { ...order, orderId: 'p' })).toMatchObject({
      code: 'quote_used',
      detail: { orderId: 'o' },
    })
  })
})

describe('transitions', () => {
  const reachable = (from: OrderState, seen = new Set<OrderState>([from])): Set<OrderState> => {
    for (const to of transitions[from]) if (!seen.has(to)) reachable(to, seen.add(to))
    return seen
  }
  test('every state is reachable from the first', () => {
    expect([...reachable('pending_payment')].sort()).toEqual([...orderStates].sort())
  })
  test('no way leads out of a returned, cancelled or expired order, and one does out of every other', () => {
    const terminal = orderStates.filter(state => transitions[state].length === 0)
    expect(terminal).toEqual(['returned', 'cancelled', 'expired'])
  })
  test('a paid order never goes back to unpaid, and only an unpaid one expires', () => {
    for (const state of ['pending_payment', 'payment_failed', 'expired'] as const)
      expect(reachable('paid')).not.toContain(state)
    expect(reachable('completed')).not.toContain('cancelled')
    expect(sourcesOf('expired')).toEqual(['pending_payment', 'payment_failed'])
  })
  test('the guard of a transition is the table read backwards', () => {
    for (const to of orderStates) {
      for (const from of orderStates) {
        expect(sourcesOf(to).includes(from)).toBe((transitions[from] as readonly string[]).includes(to))
      }
    }
  })
})

describe('a captured payment', () => {
  const order = (state: OrderState, paymentId: string | null = null) => ({
    state,
    totalMinor: 700,
    currency: 'EUR',
    paymentId,
    capturedMinor: paymentId === null ? 0 : 700,
  })
  const payment = { paymentId: 'p1', amountMinor: 700, currency: 'EUR' }

  test('pays the order that waits for it, and goes back from every other', () => {
    const decided = orderStates.map(state => [state, receive(order(state), payment)])
    expect(Object.fromEntries(decided)).toEqual({
      pending_payment: 'pay',
      payment_failed: 'return',
      paid: 'return',
      fulfilling: 'return',
      completed: 'return',
      return_requested: 'return',
      returned: 'return',
      cancelled: 'return',
      expired: 'return',
    })
  })
  test('is taken once: told of again, nothing happens, in whatever state the order is', () => {
    for (const state of orderStates) expect(receive(order(state, 'p1'), payment)).toBe('known')
  })
  test('that was only set aside counts as captured, or goes back if the order has ended', () => {
    const decided = orderStates.map(state => [
      state,
      receive({ ...order(state, 'p1'), capturedMinor: 0 }, payment),
    ])
    expect(new Set(decided.filter(([, what]) => what === 'return').map(([state]) => state))).toEqual(
      new Set(['cancelled', 'expired']),
    )
    expect(new Set(decided.map(([, what]) => what))).toEqual(new Set(['capture', 'return']))
  })
  test('of another amount or currency than the order is a bug, and stops', () => {
    expect(() => receive(order('pending_payment'), { ...payment, amountMinor: 699 })).toThrow('699 EUR')
    expect(() => receive(order('pending_payment'), { ...payment, currency: 'USD' })).toThrow('700 USD')
  })
})
