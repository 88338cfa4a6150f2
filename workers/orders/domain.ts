import type { RefusalOf } from '../../queues/command.ts'
import type { OrderState, place as placeCommand } from '../../queues/orders.ts'
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

export interface Placed {
  readonly kind: 'placed'
  readonly lines: readonly Line[]
  readonly totalMinor: number
  readonly currency: string
}

/** Prices an order from what the catalog answered, or says why it cannot be placed. */
export function place(offers: readonly Offer[]): Placed | Rejected<RefusalOf<typeof placeCommand>> {
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
  const short = products.filter(each => !each.enough)
  if (short.length > 0) {
    const shortages = short.map(({ sku, requested, available }) => ({ sku, requested, available }))
    return rejected('out_of_stock', { shortages })
  }
  const lines = products.map(toLine)
  const totalMinor = sum(lines.map(each => each.totalMinor))
  // Sums and products of safe integers are exact up to the limit, and above it no rounding brings them below.
  if (totalMinor > Number.MAX_SAFE_INTEGER) return rejected('total_too_large')
  return { kind: 'placed', lines, totalMinor, currency }
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
