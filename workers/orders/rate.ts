import type { RefusalOf } from '../../queues/command.ts'
import type { Address } from '../../queues/fulfilment.ts'
import type { quote as quoteCommand } from '../../queues/orders.ts'
import { type Rejected, rejected } from '../../queues/outcome.ts'

/** What it costs to send an order, and where: as it is kept with it. A type, so that it passes as JSON. */
export type Shipping = {
  readonly rateId: string
  readonly carrier: string
  readonly service: string
  readonly etaDays: number
  readonly amountMinor: number
  readonly destination: Address
}

/** A shipping rate, and for what it was found. */
export interface Rate extends Shipping {
  readonly customerId: string
  readonly storeId: string
  readonly lines: readonly Pieces[]
  readonly currency: string
  readonly expiresAt: Date
}

interface Pieces {
  readonly sku: string
  readonly quantity: number
}

/** What the rate is to be used for. */
export interface Parcel {
  readonly customerId: string
  readonly storeId: string
  readonly lines: readonly Pieces[]
  readonly currency: string
  /** When it was asked for, however late that is worked on. */
  readonly askedAt: Date
}

/** The shipping at that rate, if it was found for just this. */
export function shippingAt(
  rate: Rate | null,
  parcel: Parcel,
): Shipping | Rejected<RefusalOf<typeof quoteCommand>> {
  if (rate === null || rate.customerId !== parcel.customerId) return rejected('rate_invalid')
  if (rate.expiresAt <= parcel.askedAt) return rejected('rate_expired')
  const same = {
    lines: isSame(rate.lines, parcel.lines),
    store: rate.storeId === parcel.storeId,
    currency: rate.currency === parcel.currency,
  }
  const differs = Object.entries(same).flatMap(([what, is]) => (is ? [] : [what]))
  if (differs.length > 0) return rejected('rate_mismatch', { differs })
  const { rateId, carrier, service, etaDays, amountMinor, destination } = rate
  return { rateId, carrier, service, etaDays, amountMinor, destination }
}

function isSame(some: readonly Pieces[], others: readonly Pieces[]): boolean {
  const pieces = new Map(some.map(({ sku, quantity }) => [sku, quantity]))
  return some.length === others.length && others.every(({ sku, quantity }) => pieces.get(sku) === quantity)
}
