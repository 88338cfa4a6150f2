import type { InputOf, RefusalOf } from '../../queues/command.ts'
import type { createDiscount } from '../../queues/discounts.ts'
import type { quote as quoteCommand } from '../../queues/orders.ts'
import { type Rejected, rejected } from '../../queues/outcome.ts'
import type { Reduction } from './pricing.ts'

/** A discount code as it stands, before a certain customer. */
export interface Discount {
  readonly id: string
  readonly code: string
  /** Null: of every store. */
  readonly storeId: string | null
  /** One of these two is there. */
  readonly ratePpm: number | null
  readonly amountMinor: number | null
  /** Null: of every currency. */
  readonly currency: string | null
  readonly minGoodsMinor: number
  readonly startsAt: Date
  readonly endsAt: Date | null
  readonly usesMax: number | null
  readonly uses: number
  readonly usesPerCustomerMax: number | null
  /** By this customer. */
  readonly customerUses: number
}

export type NewDiscount = Omit<Discount, 'id' | 'uses' | 'customerUses'>

/** The discount as it is asked for, or what is wrong with it. */
export function newDiscount(
  asked: InputOf<typeof createDiscount>,
  askedAt: Date,
): NewDiscount | Rejected<RefusalOf<typeof createDiscount>> {
  const { currency = null, minGoodsMinor = 0 } = asked
  const fields = (['amountMinor', 'minGoodsMinor'] as const).filter(name => asked[name])
  if (currency === null && fields.length > 0) return rejected('currency_missing', { fields })
  const startsAt = asked.startsAt === undefined ? askedAt : new Date(asked.startsAt)
  const endsAt = asked.endsAt === undefined ? null : new Date(asked.endsAt)
  if (endsAt !== null && endsAt <= startsAt) {
    const times = { startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString() }
    return rejected('ends_before_start', times)
  }
  return {
    code: asked.code,
    storeId: asked.storeId ?? null,
    ratePpm: asked.ratePpm ?? null,
    amountMinor: asked.amountMinor ?? null,
    currency,
    minGoodsMinor,
    startsAt,
    endsAt,
    usesMax: asked.usesMax ?? null,
    usesPerCustomerMax: asked.usesPerCustomerMax ?? null,
  }
}

/** What the code is to be used for. */
export interface Occasion {
  readonly storeId: string
  readonly currency: string
  readonly goodsMinor: number
  /** When it was asked for, however late that is worked on. */
  readonly askedAt: Date
}

/** What the code takes off, or why it takes off nothing; whether a use is left is decided when it is counted. */
export function reductionBy(
  discount: Discount | null,
  { storeId, currency, goodsMinor, askedAt }: Occasion,
): Reduction | Rejected<RefusalOf<typeof quoteCommand>> {
  if (discount === null) return rejected('discount_unknown')
  const { startsAt, endsAt, minGoodsMinor, ratePpm, amountMinor } = discount
  const not = (because: string, facts: Record<string, unknown>) =>
    rejected('discount_not_applicable', { because, ...facts })
  if (askedAt < startsAt) return not('not_started', { startsAt: startsAt.toISOString() })
  if (endsAt !== null && askedAt >= endsAt) return not('ended', { endsAt: endsAt.toISOString() })
  if ((discount.storeId ?? storeId) !== storeId) return not('other_store', { storeId: discount.storeId })
  if ((discount.currency ?? currency) !== currency)
    return not('other_currency', { currency: discount.currency })
  if (goodsMinor < minGoodsMinor) return not('too_few_goods', { minGoodsMinor })
  if (isUsedUp(discount)) return rejected('discount_used_up')
  return ratePpm !== null ? { ratePpm } : { amountMinor: amountMinor ?? 0 }
}

const isUsedUp = ({ uses, usesMax, customerUses, usesPerCustomerMax }: Discount): boolean =>
  (usesMax !== null && uses >= usesMax) || (usesPerCustomerMax !== null && customerUses >= usesPerCustomerMax)
