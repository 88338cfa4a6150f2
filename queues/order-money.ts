// What an order or a quote is made of, in money: the same words for both.
import { Type } from '@sinclair/typebox'
import { Address } from './fulfilment.ts'
import { AmountMinor, Currency, closed, Id, Instant, oneOf, Sku } from './schemas.ts'

const minor = (description: string) => ({ ...AmountMinor, description: `Minor units. ${description}` })
const RatePpm = Type.Integer({ minimum: 0, description: 'Parts per million: 190000 is 19 %.' })

/** The fields of a line as it was priced. */
export const pricedLine = (when: string) => ({
  sku: Sku,
  title: Type.String({ description: `As it was when ${when}, like the price.` }),
  quantity: Type.Integer({ minimum: 1, description: 'Pieces; lines with the same SKU are one.' }),
  unitPriceMinor: AmountMinor,
  totalMinor: minor('Price times pieces, before discount and tax.'),
  discountMinor: minor('Its part of the discount.'),
  taxMinor: minor('On what is left of it, half up; contained in the price if `pricesIncludeTax`.'),
  taxRatePpm: RatePpm,
})

export const DiscountCode = Type.String({
  pattern: '^[A-Z0-9][A-Z0-9_-]{2,39}$',
  description: 'What customers enter: capital letters, digits, dash and underscore, 3 to 40 of them.',
})

/** The sums of lines and shipping. */
export const sums = {
  goodsMinor: minor('The lines, before discount and tax.'),
  discountMinor: AmountMinor,
  shippingMinor: AmountMinor,
  taxMinor: minor('Of all lines and the shipping.'),
  totalMinor: minor(
    'What is to be paid: goods less discount plus shipping, plus tax unless `pricesIncludeTax`.',
  ),
  currency: Currency,
  pricesIncludeTax: Type.Boolean({
    description: 'The tax is contained in prices and shipping, and not added to them.',
  }),
  discountCode: Type.Union([DiscountCode, Type.Null()]),
  storeId: Type.Unsafe<string>({ ...Id, description: 'The store that sells.' }),
}

/** What stands behind the sums. */
export const breakdown = {
  taxes: Type.Array(
    Type.Object(
      {
        name: Type.String({ description: 'As the store calls it, such as VAT.' }),
        country: Type.String({ description: 'ISO 3166-1 alpha-2 code of the country whose tax it is.' }),
        ratePpm: RatePpm,
        baseMinor: minor('What is taxed, without the tax.'),
        taxMinor: minor('The sum of the tax of lines and shipping, each rounded half up.'),
      },
      closed,
    ),
    { description: 'One per name and rate, in the order of the lines.' },
  ),
  shipping: Type.Union(
    [
      Type.Object(
        {
          rateId: Id,
          carrier: Type.String(),
          service: Type.String({ description: 'As the carrier calls it.' }),
          etaDays: Type.Integer({ minimum: 0, description: 'Days until it is there, as was estimated.' }),
          amountMinor: AmountMinor,
          destination: Address,
        },
        closed,
      ),
      Type.Null(),
    ],
    { description: 'The rate that was chosen, as it was; null for what is not shipped.' },
  ),
}

/** What an order or a quote may ask for besides its lines. */
export const extras = {
  discountCode: Type.Optional(DiscountCode),
  shippingRateId: Type.Optional(
    Type.Unsafe<string>({ ...Id, description: 'A rate of `shipping.find-rates` for exactly these lines.' }),
  ),
}

/** Why a price cannot be given. */
export const unpriced = {
  unknown_product: {
    status: 422,
    title: 'A line names a product that is not sold here.',
    detail: Type.Object({ skus: Type.Array(Sku) }, closed),
  },
  mixed_currencies: {
    status: 422,
    title: 'The products are priced in more than one currency.',
    detail: Type.Object({ currencies: Type.Array(Currency) }, closed),
  },
  several_stores: {
    status: 422,
    title: 'The products are of more than one store: order from each of them.',
    detail: Type.Object({ storeIds: Type.Array(Id) }, closed),
  },
  discount_unknown: { status: 422, title: 'There is no such discount code.' },
  discount_not_applicable: {
    status: 409,
    title: 'The discount code is not good for this.',
    detail: Type.Object(
      {
        because: oneOf(
          ['not_started', 'ended', 'other_store', 'other_currency', 'too_few_goods'],
          'What stands against it; the field beside it says what would do.',
        ),
        startsAt: Type.Optional(Instant),
        endsAt: Type.Optional(Instant),
        storeId: Type.Optional(Id),
        currency: Type.Optional(Currency),
        minGoodsMinor: Type.Optional(AmountMinor),
      },
      closed,
    ),
  },
  discount_used_up: { status: 409, title: 'The discount code was used as often as it may be.' },
  rate_invalid: { status: 422, title: 'This is no shipping rate of yours.' },
  rate_expired: { status: 410, title: 'The shipping rate has expired: ask for rates again.' },
  rate_mismatch: {
    status: 422,
    title: 'The shipping rate was found for something else: ask for rates for these lines.',
    detail: Type.Object(
      {
        differs: Type.Array(oneOf(['lines', 'store', 'currency'], 'What is not as it was.')),
      },
      closed,
    ),
  },
  total_too_large: { status: 422, title: 'The total is more than an amount of money can hold.' },
} as const
