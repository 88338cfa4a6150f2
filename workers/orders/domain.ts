import type { RefusalOf } from '../../queues/command.ts'
import type { OrderState, place as placeCommand, quote as quoteCommand } from '../../queues/orders.ts'
import { type Rejected, rejected } from '../../queues/outcome.ts'

/** Where an order may go from each state. `null` is the order that is not placed yet. */
export const transitions = {
  pending_payment: ['paid', 'payment_failed', 'cancelled', 'expired'],
  payment_failed: ['pending_payment', 'cancelled', 'expired'],
  paid: ['cancelled'],
  cancelled: [],
  expired: [],
} as const satisfies Record<OrderState, readonly OrderState[]>

/** The states from which an order may go to `to`: what the guard of that transition allows. */
export const sourcesOf = (to: OrderState): readonly OrderState[] =>
  (Object.keys(transitions) as OrderState[]).filter(from =>
    (transitions[from] as readonly OrderState[]).includes(to),
  )

/** How long the pieces of an unpaid order stay reserved. */
const payableForMs = 15 * 60_000
/** How much longer, when its time is up but a charge has not been answered. */
const chargeGraceMs = 5 * 60_000

/** How long an order can be placed from a quote. */
const quoteLifeMs = 15 * 60_000

export const quoteExpiryOf = (quotedAt: Date): Date => new Date(quotedAt.getTime() + quoteLifeMs)
export const expiryOf = (placedAt: Date): Date => new Date(placedAt.getTime() + payableForMs)
export const extendedExpiryOf = (now: Date): Date => new Date(now.getTime() + chargeGraceMs)

/** What the catalog says about the pieces of one SKU that an order asks for. */
export interface Offer {
  readonly sku: string
  readonly requested: number
  /** Null if there is no such product, like the fields below. */
  readonly title: string | null
  readonly unitPriceMinor: number | null
  readonly currency: string | null
  readonly available: number | null
  /** True if the pieces were there to be reserved. */
  readonly enough: boolean
}

/** A line as it is saved; a type and not an interface, so that it passes as JSON. */
export type Line = {
  readonly sku: string
  readonly title: string
  readonly quantity: number
  readonly unitPriceMinor: number
  readonly totalMinor: number
}

export interface Priced {
  readonly kind: 'priced'
  readonly lines: readonly Line[]
  readonly totalMinor: number
  readonly currency: string
}

/** What the lines cost by what the catalog answered, in stock or not, or why nobody can say. */
export function price(offers: readonly Offer[]): Priced | Rejected<RefusalOf<typeof quoteCommand>> {
  const products = offers.filter(isProduct)
  if (products.length < offers.length) {
    return rejected('unknown_product', {
      skus: offers.filter(each => !isProduct(each)).map(each => each.sku),
    })
  }
  const currencies = [...new Set(products.map(each => each.currency))].sort()
  const [currency] = currencies
  if (currency === undefined) throw new Error('an order has at least one line')
  if (currencies.length > 1) return rejected('mixed_currencies', { currencies })
  const lines = products.map(toLine)
  const totalMinor = sum(lines.map(each => each.totalMinor))
  // Sums and products of safe integers are exact up to the limit, and above it no rounding brings them below.
  if (totalMinor > Number.MAX_SAFE_INTEGER) return rejected('total_too_large')
  return { kind: 'priced', lines, totalMinor, currency }
}

/** Prices an order, or says why it cannot be placed. */
export function place(offers: readonly Offer[]): Priced | Rejected<RefusalOf<typeof placeCommand>> {
  const priced = price(offers)
  if (priced.kind === 'rejected' && priced.code !== 'total_too_large') return priced
  const shortages = offers
    .filter(each => !each.enough)
    .map(({ sku, requested, available }) => ({ sku, requested, available }))
  return shortages.length > 0 ? rejected('out_of_stock', { shortages }) : priced
}

type Product = { readonly [K in keyof Offer]: NonNullable<Offer[K]> }
const isProduct = (offer: Offer): offer is Product => offer.title !== null

const toLine = ({ sku, title, requested, unitPriceMinor }: Product): Line => ({
  sku,
  title,
  quantity: requested,
  unitPriceMinor,
  totalMinor: requested * unitPriceMinor,
})

const sum = (amounts: readonly number[]): number => amounts.reduce((total, each) => total + each, 0)

/** What a quote promises, and to whom: what its token says. */
export interface QuoteTerms {
  readonly id: string
  readonly customerId: string
  readonly totalMinor: number
  readonly currency: string
  readonly priceVersion: string
  readonly expiresAt: Date
}

export interface Quote extends QuoteTerms {
  readonly lines: readonly Line[]
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

/** The order on the terms of its quote, as long as the catalog offers its lines at the same prices. */
export function honour(
  { lines, totalMinor, currency }: Pick<Quote, 'lines' | 'totalMinor' | 'currency'>,
  offers: readonly Offer[],
): Priced | Rejected<RefusalOf<typeof placeCommand>> {
  const now = place(offers)
  if (now.kind === 'rejected') return now
  const prices = new Map(now.lines.map(({ sku, unitPriceMinor }) => [sku, unitPriceMinor]))
  const isSame =
    now.currency === currency && lines.every(line => prices.get(line.sku) === line.unitPriceMinor)
  if (isSame) return { kind: 'priced', lines, totalMinor, currency }
  return rejected('price_changed', { totalMinor: now.totalMinor, currency: now.currency })
}

/** An order as the decisions below need it. */
export interface OrderMoney {
  readonly state: OrderState
  readonly totalMinor: number
  readonly currency: string
  /** The payment that counts for this order; any other one is sent back. */
  readonly paymentId: string | null
}

/** What to do with a captured payment: nothing if it counts already, else pay the order or send the money back. */
export function receive(
  order: OrderMoney,
  payment: { readonly paymentId: string; readonly amountMinor: number; readonly currency: string },
): 'known' | 'pay' | 'return' {
  if (order.paymentId === payment.paymentId) return 'known'
  const { totalMinor, currency } = order
  if (payment.amountMinor !== totalMinor || payment.currency !== currency) {
    throw new Error(
      `payment of ${payment.amountMinor} ${payment.currency} for an order of ${totalMinor} ${currency}`,
    )
  }
  return sourcesOf('paid').includes(order.state) ? 'pay' : 'return'
}
