import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { QuoteTerms } from './quote.ts'
import { createQuoteTokens, priceVersionOf } from './quote-token.ts'

const tokens = createQuoteTokens('a secret of these tests')
const terms: fc.Arbitrary<QuoteTerms> = fc.record({
  id: fc.uuid(),
  customerId: fc.uuid(),
  totalMinor: fc.maxSafeNat(),
  currency: fc.stringMatching(/^[A-Z]{3}$/),
  priceVersion: fc.string({ unit: 'binary' }),
  expiresAt: fc.date({ noInvalidDate: true }),
})
const some: QuoteTerms = {
  id: '01a1fd12-358c-7504-9e37-f96d49e1e75a',
  customerId: '01a1fd12-358c-7504-9e37-f96d49e1e75b',
  totalMinor: 700,
  currency: 'EUR',
  priceVersion: 'abcdefghijklmnopqrstuv',
  expiresAt: new Date('2026-11-21T07:05:51.306Z'),
}

describe('a token', () => {
  test('says what was signed, whatever that was', () => {
    fc.assert(
      fc.property(terms, signed => {
        expect(tokens.read(tokens.sign(signed))).toEqual(signed)
      }),
    )
  })
  test('is the same for the same terms, also when they are signed after a restart', () => {
    expect(createQuoteTokens('a secret of these tests').sign(some)).toBe(tokens.sign(some))
  })
  test('fits into the field of an order that takes it, with the largest total', () => {
    expect(tokens.sign({ ...some, totalMinor: Number.MAX_SAFE_INTEGER }).length).toBeLessThan(300)
  })
  test('with any bit flipped is refused', () => {
    const token = tokens.sign(some)
    for (let at = 0; at < token.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = String.fromCharCode(token.charCodeAt(at) ^ (1 << bit))
        expect(tokens.read(token.slice(0, at) + flipped + token.slice(at + 1))).toBeNull()
      }
    }
  })
  test('cut short, made longer, of another secret, or made up is refused', () => {
    const token = tokens.sign(some)
    for (let end = 0; end < token.length; end++) expect(tokens.read(token.slice(0, end))).toBeNull()
    for (const wrong of [`${token}A`, `${token}=`, ` ${token}`, `A${token}`, '', '.', '..', 'a.b'])
      expect([wrong, tokens.read(wrong)]).toEqual([wrong, null])
    expect(tokens.read(createQuoteTokens('another secret').sign(some))).toBeNull()
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => tokens.read(text) === null))
  })
})

describe('a price version', () => {
  const line = { sku: 'TEA', title: 'Tea', quantity: 1, unitPriceMinor: 350, totalMinor: 350 }
  const other = { ...line, sku: 'CUP', unitPriceMinor: 900, totalMinor: 900 }
  const version = priceVersionOf([line, other], 'EUR')

  test('is the same for the same prices, whatever their order, the quantities and the titles', () => {
    const renamed = { ...line, title: 'Green tea', quantity: 3, totalMinor: 1_050 }
    expect(priceVersionOf([other, renamed], 'EUR')).toBe(version)
  })
  test('differs with any price, product or currency', () => {
    const versions = [
      priceVersionOf([line, { ...other, unitPriceMinor: 901 }], 'EUR'),
      priceVersionOf([line, { ...other, sku: 'CUP2' }], 'EUR'),
      priceVersionOf([line], 'EUR'),
      priceVersionOf([line, other], 'USD'),
    ]
    expect(new Set([version, ...versions]).size).toBe(5)
  })
})
