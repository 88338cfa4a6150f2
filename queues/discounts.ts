import { type Static, Type } from '@sinclair/typebox'
import { command } from './command.ts'
import { DiscountCode } from './order-money.ts'
import { retry } from './retry.ts'
import { AmountMinor, Currency, closed, exactlyOneOf, Id, Instant, pageOf } from './schemas.ts'

const RatePpm = Type.Integer({
  minimum: 1,
  maximum: 1_000_000,
  description: 'The part of the goods that it takes off, in parts per million: 100000 is 10 %.',
})
const OffMinor = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'What it takes off the goods, in minor units; never more than they cost.',
})
const StoreId = Type.Unsafe<string>({ ...Id, description: 'The store that it is good for.' })
const MinGoods = Type.Unsafe<number>({
  ...AmountMinor,
  description: 'Minor units that the goods must cost at least, before the discount.',
})
const Uses = (of: string) =>
  Type.Integer({
    minimum: 1,
    maximum: 1_000_000_000,
    description: `Orders ${of} that may have it; those that are cancelled or expire do not count.`,
  })
const orNull = <T extends ReturnType<typeof Type.Unsafe>>(schema: T, when: string) =>
  Type.Union([schema, Type.Null()], { description: `Null: ${when}.` })

export const Discount = Type.Object(
  {
    id: Id,
    code: DiscountCode,
    storeId: orNull(StoreId, 'it is good for every store'),
    ratePpm: orNull(RatePpm, 'it takes off an amount'),
    amountMinor: orNull(OffMinor, 'it takes off a part'),
    currency: orNull(Currency, 'it is good for every currency'),
    minGoodsMinor: MinGoods,
    startsAt: Instant,
    endsAt: orNull(Instant, 'it has no end'),
    usesMax: orNull(Uses('in all'), 'as many as want it'),
    usesPerCustomerMax: orNull(Uses('of one customer'), 'as many as they want'),
    uses: Type.Integer({
      minimum: 0,
      description: 'Orders that have it, but for cancelled and expired ones.',
    }),
    createdAt: Instant,
  },
  { ...closed, $id: 'Discount' },
)
export type Discount = Static<typeof Discount>
export const DiscountPage = pageOf(Discount)

export const createDiscount = command('orders.create-discount', {
  summary: 'Add a code that takes a part or an amount off the goods of an order.',
  http: { method: 'POST', path: '/v1/discounts', scope: 'catalog:write' },
  input: exactlyOneOf(
    ['ratePpm', 'amountMinor'],
    Type.Object(
      {
        code: DiscountCode,
        ratePpm: Type.Optional(RatePpm),
        amountMinor: Type.Optional(OffMinor),
        currency: Type.Optional(
          Type.Unsafe<string>({
            ...Currency,
            description: 'ISO 4217 code of the orders that it is good for; all of them, if absent.',
          }),
        ),
        storeId: Type.Optional(StoreId),
        minGoodsMinor: Type.Optional(MinGoods),
        startsAt: Type.Optional(Instant),
        endsAt: Type.Optional(Instant),
        usesMax: Type.Optional(Uses('in all')),
        usesPerCustomerMax: Type.Optional(Uses('of one customer')),
      },
      closed,
    ),
  ),
  output: Type.Object({ discountId: Id, code: DiscountCode }, closed),
  refusals: {
    store_not_found: { status: 404, title: 'There is no such store.' },
    code_taken: { status: 409, title: 'There is or was a discount with this code.' },
    currency_missing: {
      status: 422,
      title: 'An amount of money needs its currency.',
      detail: Type.Object({ fields: Type.Array(Type.String(), { description: 'Which need it.' }) }, closed),
    },
    ends_before_start: {
      status: 422,
      title: 'The discount would end before it starts.',
      detail: Type.Object({ startsAt: Instant, endsAt: Instant }, closed),
    },
  },
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const endDiscount = command('orders.end-discount', {
  summary: 'End a discount now; orders that have it keep it.',
  http: { method: 'POST', path: '/v1/discounts/{code}/end', scope: 'catalog:write' },
  input: Type.Object({ code: DiscountCode }, closed),
  output: Type.Object({ code: DiscountCode, endsAt: Instant }, closed),
  refusals: { discount_not_found: { status: 404, title: 'There is no such discount.' } },
  retry: retry.standard,
  timeoutMs: 10_000,
})
