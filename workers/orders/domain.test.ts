import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type OrderState, orderStates } from '../../queues/orders.ts'
import { type Offer, place, receive, sourcesOf, transitions } from './domain.ts'

const sku = fc.stringMatching(/^[A-Z0-9]{1,8}$/)
const pieces = fc.integer({ min: 1, max: 1_000_000 })
const price = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const offer = (given: fc.Arbitrary<Partial<Offer>> = fc.constant({})): fc.Arbitrary<Offer> =>
  fc.tuple(sku, pieces, price, given).map(([name, requested, unitPriceMinor, rest]) => ({
    sku: name,
    requested,
    title: 'Tea',
    unitPriceMinor,
    currency: 'EUR',
    available: requested,
    enough: true,
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
          expect(verdict).toMatchObject({ kind: 'placed', totalMinor: Number(exact), currency: 'EUR' })
        }
      }),
    )
  })
  test('at realistic prices is the sum of its lines, each an integer', () => {
    const cheap = offer(fc.record({ unitPriceMinor: fc.integer({ min: 0, max: 1_000_000 }) }))
    fc.assert(
      fc.property(offers(cheap), all => {
        const verdict = place(all)
        if (verdict.kind !== 'placed') throw new Error(verdict.code)
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
      place([
        {
          sku: 'A',
          requested,
          title: 'A',
          unitPriceMinor,
          currency: 'EUR',
          available: requested,
          enough: true,
        },
      ]).kind
    expect(one(1, Number.MAX_SAFE_INTEGER)).toBe('placed')
    expect(one(2, 2 ** 52)).toBe('rejected')
  })
})

describe('an order is refused', () => {
  test('for every product that is not sold here, before anything else', () => {
    const unknown = { title: null, unitPriceMinor: null, currency: null, available: null, enough: false }
    const mixed = offer(fc.constantFrom(unknown, { enough: false, available: 0 }, { currency: 'USD' }, {}))
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

describe('transitions', () => {
  const reachable = (from: OrderState, seen = new Set<OrderState>([from])): Set<OrderState> => {
    for (const to of transitions[from]) if (!seen.has(to)) reachable(to, seen.add(to))
    return seen
  }
  test('every state is reachable from the first', () => {
    expect([...reachable('pending_payment')].sort()).toEqual([...orderStates].sort())
  })
  test('no way leads out of a cancelled or an expired order, and one does out of every other', () => {
    const terminal = orderStates.filter(state => transitions[state].length === 0)
    expect(terminal).toEqual(['cancelled', 'expired'])
  })
  test('a paid order never goes back to unpaid, and only an unpaid one expires', () => {
    expect([...reachable('paid')]).toEqual(['paid', 'cancelled'])
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
  })
  const payment = { paymentId: 'p1', amountMinor: 700, currency: 'EUR' }

  test('pays the order that waits for it, and goes back from every other', () => {
    const decided = orderStates.map(state => [state, receive(order(state), payment)])
    expect(Object.fromEntries(decided)).toEqual({
      pending_payment: 'pay',
      payment_failed: 'return',
      paid: 'return',
      cancelled: 'return',
      expired: 'return',
    })
  })
  test('is taken once: told of again, nothing happens, in whatever state the order is', () => {
    for (const state of orderStates) expect(receive(order(state, 'p1'), payment)).toBe('known')
  })
  test('of another amount or currency than the order is a bug, and stops', () => {
    expect(() => receive(order('pending_payment'), { ...payment, amountMinor: 699 })).toThrow('699 EUR')
    expect(() => receive(order('pending_payment'), { ...payment, currency: 'USD' })).toThrow('700 USD')
  })
})
