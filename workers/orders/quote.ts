import type { RefusalOf } from '../../queues/command.ts'
import type { place as placeCommand } from '../../queues/orders.ts'
import { type Rejected, rejected } from '../../queues/outcome.ts'
import { type Extras, isSamePrice, type Offer, type Price, type Priced, place } from './domain.ts'
import type { Tax } from './pricing.ts'
import type { Rate, Shipping } from './rate.ts'

/** How long an order can be placed from a quote. */
const lifeMs = 15 * 60_000

/** No longer than its shipping rate is good for. */
export const quoteExpiryOf = (quotedAt: Date, rate: Pick<Rate, 'expiresAt'> | null): Date =>
  new Date(Math.min(quotedAt.getTime() + lifeMs, rate?.expiresAt.getTime() ?? Number.POSITIVE_INFINITY))

/** What a quote promises, and to whom: what its token says. */
export interface QuoteTerms {
  readonly id: string
  readonly customerId: string
  readonly totalMinor: number
  readonly currency: string
  readonly priceVersion: string
  readonly expiresAt: Date
}

export interface Quote extends QuoteTerms, Price {
  readonly storeId: string
  readonly taxes: readonly Tax[]
  readonly shipping: Shipping | null
  readonly discountCode: string | null
  /** The order that used it. */
  readonly orderId: string | null
}

export interface Redeemed {
  readonly kind: 'redeemed'
  readonly quote: Quote
}

/** The quote that was found for a token, if this order may be placed from it. */
export function redeem(
  terms: QuoteTerms | null,
  quote: Quote | null,
  order: { readonly orderId: string; readonly customerId: string; readonly askedAt: Date },
): Redeemed | Rejected<RefusalOf<typeof placeCommand>> {
  if (terms === null || quote === null || !isOf(terms, quote) || quote.customerId !== order.customerId)
    return rejected('quote_invalid')
  if (quote.orderId === order.orderId) return { kind: 'redeemed', quote } // by an earlier run
  if (quote.orderId !== null) return rejected('quote_used', { orderId: quote.orderId })
  if (quote.expiresAt <= order.askedAt) return rejected('quote_expired')
  return { kind: 'redeemed', quote }
}

const isOf = (terms: QuoteTerms, quote: QuoteTerms): boolean =>
  terms.id === quote.id &&
  terms.customerId === quote.customerId &&
  terms.totalMinor === quote.totalMinor &&
  terms.currency === quote.currency &&
  terms.priceVersion === quote.priceVersion

/** The rate that the quote was made with: it is kept with the quote, and good for as long. */
export const rateOf = (quote: Quote): Rate | null => quote.shipping && { ...quote, ...quote.shipping }

/** The order on the terms of its quote, as long as its lines, its discount and their taxes come to the same now. */
export function honour(
  quote: Price,
  offers: readonly Offer[],
  extras: Extras,
): Priced | Rejected<RefusalOf<typeof placeCommand>> {
  const now = place(offers, extras)
  if (now.kind === 'rejected') {
    const isDiscountGone = now.code === 'discount_unknown' || now.code === 'discount_not_applicable'
    return isDiscountGone ? honour(quote, offers, { ...extras, discount: null }) : now
  }
  if (isSamePrice(quote, now)) return { ...now, lines: quote.lines }
  return rejected('price_changed', { totalMinor: now.totalMinor, currency: now.currency })
}
