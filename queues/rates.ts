// What it costs to send a basket somewhere.
import { type Static, Type } from '@sinclair/typebox'
import { command } from './command.ts'
import { Address, Carrier, ShippedLines } from './fulfilment.ts'
import { retry } from './retry.ts'
import { AmountMinor, Currency, closed, Id, Instant, lineOfText, oneOf, Quantity, Sku } from './schemas.ts'

const ServiceName = lineOfText(60, 'What buyers see, such as Standard.')
const EtaDays = Type.Integer({ minimum: 0, maximum: 365, description: 'Days until it arrives; 0 is today.' })

/** One service of a store's own table of rates. */
export const TableService = Type.Object(
  {
    carrier: Type.Optional({
      ...Carrier,
      description:
        'Who carries it, `manual` unless said. The rates of another carrier count while that carrier does not answer.',
    }),
    name: ServiceName,
    countries: Type.Array(Type.String({ pattern: '^([A-Z]{2}|\\*)$' }), {
      minItems: 1,
      maxItems: 250,
      uniqueItems: true,
      description: 'Where it goes: ISO 3166-1 alpha-2 codes, or `*` for everywhere.',
    }),
    bands: Type.Array(
      Type.Object(
        {
          upToG: Type.Integer({
            minimum: 1,
            maximum: 1_000_000_000,
            description: 'The heaviest basket of this band, grams.',
          }),
          amountMinor: AmountMinor,
        },
        closed,
      ),
      {
        minItems: 1,
        maxItems: 50,
        description: 'The lightest first; what is heavier than the last is not sent.',
      },
    ),
    currency: Currency,
    etaDays: EtaDays,
    freeFromMinor: Type.Optional({
      ...AmountMinor,
      description: 'Goods of this amount or more, in minor units, are sent for nothing.',
    }),
  },
  closed,
)
export type TableService = Static<typeof TableService>

export const TableRates = Type.Object(
  { storeId: Id, services: Type.Array(TableService) },
  { ...closed, $id: 'TableRates' },
)
export type TableRates = Static<typeof TableRates>

const wrongFields = Type.Object(
  {
    fields: Type.Array(
      Type.Object(
        { pointer: Type.String({ description: 'The field, as a JSON pointer.' }), detail: Type.String() },
        closed,
      ),
    ),
  },
  closed,
)

export const setTableRates = command('shipping.set-table-rates', {
  summary: 'Set the table of rates of a store: those services, and no others.',
  http: { method: 'PUT', path: '/v1/stores/{storeId}/shipping-rates', scope: 'shipping:write' },
  input: Type.Object({ storeId: Id, services: Type.Array(TableService, { maxItems: 50 }) }, closed),
  output: Type.Object(
    { storeId: Id, services: Type.Integer({ minimum: 0, description: 'How many it has now.' }) },
    closed,
  ),
  refusals: {
    store_not_found: { status: 404, title: 'There is no such store.' },
    rates_invalid: {
      status: 422,
      title: 'A country or carrier is unknown, or the table contradicts itself.',
      detail: wrongFields,
    },
  },
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const Rate = Type.Object(
  {
    rateId: Type.Unsafe<string>({
      ...Id,
      description: 'Give it as `shippingRateId` with a quote or an order.',
    }),
    source: oneOf(
      ['carrier', 'table'],
      '`table`: of the store’s own rates, for carriers without prices and for those that do not answer.',
    ),
    carrier: Carrier,
    service: ServiceName,
    amountMinor: AmountMinor,
    currency: Currency,
    etaDays: EtaDays,
    expiresAt: Instant,
  },
  closed,
)
export type Rate = Static<typeof Rate>

export const findRates = command('shipping.find-rates', {
  summary: 'Ask what it costs to send a basket somewhere; what is offered holds for 30 minutes.',
  http: { method: 'POST', path: '/v1/shipping/rates', scope: 'shipping:read' },
  input: Type.Object(
    {
      lines: Type.Array(Type.Object({ sku: Sku, quantity: Quantity }, closed), {
        minItems: 1,
        maxItems: 100,
        description: 'Lines with the same SKU count together; all are of one store.',
      }),
      destination: Address,
    },
    closed,
  ),
  output: Type.Object(
    {
      storeId: Id,
      lines: ShippedLines,
      weightG: Type.Integer({ minimum: 0, description: 'Of the basket, grams.' }),
      rates: Type.Array(Rate, { description: 'The cheapest first.' }),
    },
    closed,
  ),
  refusals: {
    unknown_product: {
      status: 422,
      title: 'A line names a product that is not sold here.',
      detail: Type.Object({ skus: Type.Array(Sku) }, closed),
    },
    several_stores: {
      status: 422,
      title: 'The lines are of more than one store: each sends its own parcel.',
      detail: Type.Object({ storeIds: Type.Array(Id) }, closed),
    },
    mixed_currencies: {
      status: 422,
      title: 'The products are priced in more than one currency.',
      detail: Type.Object({ currencies: Type.Array(Currency) }, closed),
    },
    destination_invalid: {
      status: 422,
      title: 'There is no such address.',
      detail: wrongFields,
    },
    no_rates: { status: 422, title: 'Nobody sends this basket there.' },
  },
  retry: retry.standard,
  timeoutMs: 20_000,
})

export const forgetRates = command('shipping.forget-rates', {
  summary: 'Delete rates that expired a day ago or earlier, some at a time.',
  everyMs: 60_000,
  input: Type.Object({}, closed),
  output: Type.Object({ rates: Type.Integer({ minimum: 0, description: 'How many were deleted.' }) }, closed),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})
