import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { Line } from './pricing.ts'
import type { QuoteTerms } from './quote.ts'

/** What a customer holds in hand of a quote. */
export interface QuoteTokens {
  /** The same text for the same terms. */
  readonly sign: (terms: QuoteTerms) => string
  /** The terms that were signed; null for whatever was not, to the bit. */
  readonly read: (token: string) => QuoteTerms | null
}

type Fields = readonly [string, string, number, string, string, number]

/** Signs by HMAC-SHA256, under a key that is derived from `secret` for this one purpose. */
export function createQuoteTokens(secret: string): QuoteTokens {
  const key = new Uint8Array(hkdfSync('sha256', secret, 'waybill', 'quotes', 32))
  const signatureOf = (body: string) => createHmac('sha256', key).update(body).digest('base64url')
  return {
    sign: ({ id, customerId, totalMinor, currency, priceVersion, expiresAt }) => {
      const fields: Fields = [id, customerId, totalMinor, currency, priceVersion, expiresAt.getTime()]
      const body = Buffer.from(JSON.stringify(fields)).toString('base64url')
      return `${body}.${signatureOf(body)}`
    },
    read: token => {
      const dot = token.lastIndexOf('.')
      const body = token.slice(0, Math.max(dot, 0))
      // As text: several texts decode to the same bytes.
      if (!isSameText(token.slice(dot + 1), signatureOf(body))) return null
      const fields: Fields = JSON.parse(Buffer.from(body, 'base64url').toString())
      const [id, customerId, totalMinor, currency, priceVersion, expiresAtMs] = fields
      return { id, customerId, totalMinor, currency, priceVersion, expiresAt: new Date(expiresAtMs) }
    },
  }
}

function isSameText(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Stands for the unit prices of these lines: equal prices of equal products, equal version. */
export function priceVersionOf(
  lines: readonly Pick<Line, 'sku' | 'unitPriceMinor'>[],
  currency: string,
): string {
  const prices = lines.map(({ sku, unitPriceMinor }) => `${sku} ${unitPriceMinor} ${currency}`).sort()
  return createHash('sha256').update(prices.join('\n')).digest('base64url').slice(0, 22)
}
