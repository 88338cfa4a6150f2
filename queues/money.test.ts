import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { allocate, exponentOf, includedIn, isCurrency, portionOf } from './money.ts'

const amount = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const weights = fc
  .array(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), { minLength: 1, maxLength: 20 })
  .filter(some => some.some(weight => weight > 0))

describe('currencies are those of ISO 4217', () => {
  test('with the decimals that it gives them', () => {
    const decimals = { EUR: 2, JPY: 0, ISK: 0, KWD: 3, IQD: 3, CLF: 4, MGA: 2, MRU: 2 }
    for (const [code, exponent] of Object.entries(decimals))
      expect([code, exponentOf(code)]).toEqual([code, exponent])
  })
  test('and nothing else is one', () => {
    for (const code of ['XXQ', 'eur', '', 'constructor', 'default']) {
      expect(isCurrency(code)).toBe(false)
      expect(() => exponentOf(code)).toThrow('ISO 4217')
    }
  })
})

describe('an amount that is split', () => {
  test('adds up to itself', () => {
    fc.assert(
      fc.property(amount, weights, (minor, some) => {
        expect(allocate(minor, some).reduce((sum, part) => sum + BigInt(part), 0n)).toBe(BigInt(minor))
      }),
    )
  })
  test('gives each part its share, rounded down or up, and nothing to weight 0', () => {
    fc.assert(
      fc.property(amount, weights, (minor, some) => {
        const total = some.reduce((sum, weight) => sum + BigInt(weight), 0n)
        allocate(minor, some).forEach((part, at) => {
          const down = (BigInt(minor) * BigInt(some[at] ?? 0)) / total
          expect(BigInt(part) - down === 0n || BigInt(part) - down === 1n).toBe(true)
          if (some[at] === 0) expect(part).toBe(0)
        })
      }),
    )
  })
  test('leaves no part more than its weight while it is not more than all weights together', () => {
    const parts = fc
      .array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1, maxLength: 20 })
      .filter(some => some.some(weight => weight > 0))
    fc.assert(
      fc.property(parts, fc.double({ min: 0, max: 1, noNaN: true }), (some, share) => {
        const minor = Math.floor(some.reduce((sum, weight) => sum + weight, 0) * share)
        allocate(minor, some).forEach((part, at) => {
          expect(part).toBeLessThanOrEqual(some[at] ?? 0)
        })
      }),
    )
  })
  test('gives what is left to the largest remainders, then to the first', () => {
    expect(allocate(100, [1, 1, 1])).toEqual([34, 33, 33])
    expect(allocate(5, [3, 3, 1])).toEqual([2, 2, 1])
    expect(allocate(0, [0, 0])).toEqual([0, 0])
    expect(() => allocate(1, [0])).toThrow()
  })
})

describe('a rate of an amount', () => {
  test('is rounded half up: 24.99 at 10.75 % is 2.69', () => {
    expect(portionOf(2499, 107_500)).toBe(269)
    expect(portionOf(1, 500_000)).toBe(1)
    expect(portionOf(1, 499_999)).toBe(0)
  })
  test('is the same however large the amount is', () => {
    fc.assert(
      fc.property(amount, fc.integer({ min: 0, max: 1_000_000 }), (minor, rate) => {
        const exact = (BigInt(minor) * BigInt(rate) + 500_000n) / 1_000_000n
        expect(BigInt(portionOf(minor, rate))).toBe(exact)
        const small = minor % 9_000_000_000
        expect(BigInt(portionOf(small, rate))).toBe((BigInt(small) * BigInt(rate) + 500_000n) / 1_000_000n)
      }),
    )
  })
  test('that includes it is the net amount and its rate, but for rounding', () => {
    expect(includedIn(1190, 190_000)).toBe(190)
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1_000_000_000 }),
        fc.integer({ min: 0, max: 1_000_000 }),
        (gross, rate) => {
          const tax = includedIn(gross, rate)
          expect(tax).toBeLessThanOrEqual(gross)
          expect(Math.abs(portionOf(gross - tax, rate) - tax)).toBeLessThanOrEqual(1)
        },
      ),
    )
  })
})
