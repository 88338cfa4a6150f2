import type { RefusalOf } from '../../queues/command.ts'
import type { OrderState } from '../../queues/order-states.ts'
import type { place as placeCommand, quote as quoteCommand } from '../../queues/orders.ts'
import { type Rejected, rejected } from '../../queues/outcome.ts'
import { type Discount, reductionBy } from './discount.ts'
import { type Goods, type Line, type Money, priceOf, type StoreTerms } from './pricing.ts'
import { type Rate, type Shipping, shippingAt } from './rate.ts'

/** Where an order may go from each state. `null` is the order that is not placed yet. */
export const transitions = {
  pending_payment: ['paid', 'payment_failed', 'cancelled', 'expired'],
  payment_failed: ['pending_payment', 'cancelled', 'expired'],
  paid: ['fulfilling', 'cancelled'],
  fulfilling: ['completed', 'cancelled'], // cancelled only as long as nothing was handed over
  completed: ['return_requested'],
  return_requested: ['returned', 'completed'],
  returned: [],
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
  readonly storeId: string | null
  readonly taxClass: string | null
  readonly store: Store | null
}

/** A store on whose terms it is sold. */
export interface Store extends Omit<StoreTerms, 'storeId'> {
  readonly capture: 'automatic' | 'manual'
  /** How long a restaurant may take to accept an order; null for a shop. */
  readonly acceptWithinMs: number | null
  readonly open: boolean
  /** When it opens next, if it is closed and that is known. */
  readonly opensAt: string | null
}

/** What is asked for besides lines, as it was found. */
export interface Extras {
  readonly askedAt: Date
  readonly customerId: string
  /** Null if no code was given, or no rate chosen. */
  readonly discount: { readonly found: Discount | null } | null
  readonly rate: { readonly found: Rate | null } | null
}

export interface Priced extends Money {
  readonly kind: 'priced'
  readonly currency: string
  readonly storeId: string
  readonly capture: Store['capture']
  readonly acceptWithinMs: number | null
  readonly discount: Discount | null
  readonly shipping: Shipping | null
}

/** What the lines cost by what the catalog answered, in stock or not, or why nobody can say. */
export function price(
  offers: readonly Offer[],
  extras: Extras,
): Priced | Rejected<RefusalOf<typeof quoteCommand>> {
  const products = offers.filter(isProduct)
  if (products.length < offers.length) {
    return rejected('unknown_product', {
      skus: offers.filter(each => !isProduct(each)).map(each => each.sku),
    })
  }
  const [first] = products
  if (first === undefined) throw new Error('an order has at least one line')
  const { currency, storeId, store } = first
  const currencies = [...new Set(products.map(each => each.currency))].sort()
  if (currencies.length > 1) return rejected('mixed_currencies', { currencies })
  const storeIds = [...new Set(products.map(each => each.storeId))].sort()
  if (storeIds.length > 1) return rejected('several_stores', { storeIds })

  const goods = products.map(toGoods)
  const shipping =
    extras.rate && shippingAt(extras.rate.found, { ...extras, storeId, currency, lines: goods })
  if (shipping !== null && 'kind' in shipping) return shipping
  const goodsMinor = goods.reduce((sum, each) => sum + each.quantity * each.unitPriceMinor, 0)
  const discount = extras.discount?.found ?? null
  const reduction = extras.discount && reductionBy(discount, { ...extras, storeId, currency, goodsMinor })
  if (reduction !== null && 'kind' in reduction) return reduction
  const money = priceOf({
    goods,
    store: { ...store, storeId },
    reduction,
    shipping: shipping && { amountMinor: shipping.amountMinor, country: shipping.destination.country },
  })
  if (money === null) return rejected('total_too_large')
  const { capture, acceptWithinMs } = store
  return { kind: 'priced', ...money, currency, storeId, capture, acceptWithinMs, discount, shipping }
}

/** Prices an order, or says why it cannot be placed. */
export function place(
  offers: readonly Offer[],
  extras: Extras,
): Priced | Rejected<RefusalOf<typeof placeCommand>> {
  const priced = price(offers, extras)
  if (priced.kind === 'rejected' && priced.code !== 'total_too_large') return priced
  const closed = offers.find(each => each.store?.open === false)
  if (closed) return rejected('store_closed', { opensAt: closed.store?.opensAt ?? null })
  const shortages = offers
    .filter(each => !each.enough)
    .map(({ sku, requested, available }) => ({ sku, requested, available }))
  return shortages.length > 0 ? rejected('out_of_stock', { shortages }) : priced
}

/** Whether these are the same products on the same terms, and as many of them; how many are left besides is no matter. */
export const isSameOffer = (ones: readonly Offer[], others: readonly Offer[]): boolean =>
  ones.length === others.length &&
  ones.every((one, at) => {
    const other = others[at]
    return other !== undefined && decisive.every(name => one[name] === other[name])
  })
const decisive = [
  'sku',
  'title',
  'requested',
  'unitPriceMinor',
  'currency',
  'enough',
  'storeId',
  'taxClass',
  'store',
] as const satisfies readonly (keyof Offer)[]

type Product = { readonly [K in keyof Offer]: NonNullable<Offer[K]> }
const isProduct = (offer: Offer): offer is Product => offer.title !== null

const toGoods = ({ sku, title, requested, unitPriceMinor, taxClass }: Product): Goods => ({
  sku,
  title,
  quantity: requested,
  unitPriceMinor,
  taxClass,
})

const sums = [
  'currency',
  'goodsMinor',
  'discountMinor',
  'shippingMinor',
  'taxMinor',
  'pricesIncludeTax',
  'totalMinor',
] as const
/** What an order costs and why, as customers are told. */
export type Price = Pick<Priced, (typeof sums)[number] | 'lines'>

/** Whether the same goods cost the same, line by line. */
export function isSamePrice(one: Price, other: Price): boolean {
  const lines = new Map(other.lines.map(line => [line.sku, line]))
  return (
    sums.every(name => one[name] === other[name]) &&
    one.lines.every(line => isSameLine(line, lines.get(line.sku)))
  )
}

const isSameLine = (one: Line, other: Line | undefined): boolean =>
  one.unitPriceMinor === other?.unitPriceMinor &&
  one.discountMinor === other.discountMinor &&
  one.taxMinor === other.taxMinor &&
  one.taxRatePpm === other.taxRatePpm

/** The states in which an order has ended, and its money goes back however late it comes. */
export const isOver = (state: OrderState): boolean => state === 'cancelled' || state === 'expired'

/** The states that a customer may cancel: afterwards the merchant is at work on it. */
export const cancellable = sourcesOf('cancelled').filter(state => state !== 'fulfilling')
/** The states that the merchant may take an order back from, as long as nothing was handed over. */
export const rejectable = ['paid', 'fulfilling'] as const satisfies readonly OrderState[]

/** An order as the decisions below need it. */
export interface OrderMoney {
  readonly state: OrderState
  readonly totalMinor: number
  readonly currency: string
  /** The payment that counts for this order; any other one is sent back. */
  readonly paymentId: string | null
  readonly capturedMinor: number
}
export interface Received {
  readonly paymentId: string
  readonly amountMinor: number
  readonly currency: string
}

/**
 * What to do with a captured payment: nothing if it counts already, pay the order, count what was set aside as
 * captured, or send the money back.
 */
export function receive(
  order: OrderMoney,
  payment: Received & { readonly capturedMinor?: number },
): 'known' | 'pay' | 'capture' | 'return' {
  if (order.paymentId === payment.paymentId) {
    if (order.capturedMinor >= (payment.capturedMinor ?? payment.amountMinor)) return 'known'
    return isOver(order.state) ? 'return' : 'capture'
  }
  return receiveOther(order, payment)
}

/** What to do with money that was set aside: nothing if it counts already, pay the order, or let it go. */
export const receiveAuthorized = (order: OrderMoney, payment: Received): 'known' | 'pay' | 'return' =>
  order.paymentId === payment.paymentId ? 'known' : receiveOther(order, payment)

function receiveOther({ state, totalMinor, currency }: OrderMoney, payment: Received): 'pay' | 'return' {
  if (payment.amountMinor !== totalMinor || payment.currency !== currency) {
    throw new Error(
      `payment of ${payment.amountMinor} ${payment.currency} for an order of ${totalMinor} ${currency}`,
    )
  }
  return sourcesOf('paid').includes(state) ? 'pay' : 'return'
}

/** Where the money of an order is. */
export interface OrderFunds {
  readonly paymentId: string | null
  readonly authorizedMinor: number
  readonly capturedMinor: number
  readonly refundedMinor: number
  /** A charge that the buyer has yet to confirm: nobody shall confirm it any more. */
  readonly actionPaymentId: string | null
}
export interface Compensation {
  readonly undo: 'payments.refund' | 'payments.void'
  readonly paymentId: string
  /** Of a refund; a void lets go all that is left. */
  readonly amountMinor: number
}

/** What takes the money steps of an order back: what is captured is refunded, what is set aside is let go. */
export function compensationOf(funds: OrderFunds): readonly Compensation[] {
  const { paymentId, authorizedMinor, capturedMinor, refundedMinor, actionPaymentId } = funds
  const steps: Compensation[] = []
  const refundable = capturedMinor - refundedMinor
  if (paymentId !== null && refundable > 0)
    steps.push({ undo: 'payments.refund', paymentId, amountMinor: refundable })
  if (paymentId !== null && authorizedMinor > 0 && capturedMinor === 0)
    steps.push({ undo: 'payments.void', paymentId, amountMinor: authorizedMinor })
  if (actionPaymentId !== null && actionPaymentId !== paymentId)
    steps.push({ undo: 'payments.void', paymentId: actionPaymentId, amountMinor: 0 })
  return steps
}
