// Stores: whose the products are, in a file of its own beside the products.
import { type Static, Type } from '@sinclair/typebox'
import { command, event } from './command.ts'
import { retry } from './retry.ts'
import { closed, Id, Instant, lineOfText, oneOf, pageOf, searchText } from './schemas.ts'

/** The store of whatever names none. */
export const mainStoreId = '00000000-0000-7000-8000-000000000001'

const Country = Type.String({
  pattern: '^[A-Z]{2}$',
  description: 'ISO 3166-1 alpha-2 code, such as DE.',
})
const StoreAddress = Type.Object(
  {
    line1: lineOfText(100, 'Street and number.'),
    line2: Type.Optional(lineOfText(100, 'Floor, backyard, shopping centre.')),
    city: lineOfText(100, 'Town.'),
    postalCode: lineOfText(16, 'Postal code.'),
    country: Country,
  },
  { ...closed, $id: 'StoreAddress' },
)
const TimeOfDay = (description: string) =>
  Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$', description: `${description} \`HH:MM\`.` })
export const OpeningHours = Type.Array(
  Type.Object(
    {
      day: Type.Integer({ minimum: 1, maximum: 7, description: '1 is Monday, 7 is Sunday.' }),
      opens: TimeOfDay('When it opens, on the clocks of the store.'),
      closes: TimeOfDay('When it closes; not later than it opens: on the next day.'),
    },
    closed,
  ),
  {
    maxItems: 70,
    description:
      'When orders are taken, by the clocks of the store, which never overlap; none: always. Of a time that the clocks show twice in a night the second counts; one that they skip is that of the clocks before the change.',
  },
)
export type OpeningHours = Static<typeof OpeningHours>

export const taxClasses = ['standard', 'reduced', 'zero'] as const
export const TaxClass = oneOf(taxClasses, 'Which of the rates of its store the product is taxed at.')
/** What a rate is for: the products of a class, or the shipping. */
const RateClass = oneOf(
  [...taxClasses, 'shipping'],
  'The products that are taxed at it, or the shipping, which is taxed as `standard` where it has no rate of its own.',
)
const ratePpm = (description: string) =>
  Type.Integer({
    minimum: 0,
    maximum: 1_000_000,
    description: `${description} Parts per million: 190000 is 19 %.`,
  })
const TaxRates = Type.Array(
  Type.Object(
    {
      country: { ...Country, description: 'Where the goods go: ISO 3166-1 alpha-2 code.' },
      taxClass: RateClass,
      ratePpm: ratePpm('The rate.'),
      name: lineOfText(40, 'What it is called on a receipt, such as VAT.'),
    },
    closed,
  ),
  {
    maxItems: 500,
    description: 'One rate at the most for each country and class; where there is none, nothing is taxed.',
  },
)
const PricesIncludeTax = Type.Boolean({
  description: 'True if prices are shown with the tax in them; false if it is added.',
})

const Accepting = Type.Boolean({ description: 'False: it takes no orders, whatever its hours say.' })
const fields = {
  kind: oneOf(['shop', 'restaurant'], 'A restaurant accepts each order by a deadline, or it is cancelled.'),
  name: lineOfText(100, 'Name shown to buyers.'),
  address: StoreAddress,
  timeZone: Type.String({
    maxLength: 64,
    pattern: '^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$',
    description: 'IANA time zone of its clocks, such as Europe/Berlin.',
  }),
  openingHours: OpeningHours,
  accepting: Accepting,
  capture: oneOf(
    ['automatic', 'manual'],
    'Whether money is taken when an order is placed, or set aside and taken before the hand-over.',
  ),
  acceptWithinMs: Type.Integer({
    minimum: 1_000,
    maximum: 86_400_000,
    description: 'How long a restaurant may take to accept an order, in milliseconds.',
  }),
  commissionPpm: ratePpm('What the platform keeps of what is sold; set by operators alone.'),
}
const { kind, name, address, timeZone, ...preset } = fields
const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description })

export const Store = Type.Object(
  {
    id: Id,
    kind,
    name,
    address: nullable(StoreAddress, 'Null: it has none to visit.'),
    timeZone,
    openingHours: OpeningHours,
    accepting: Accepting,
    isOpen: Type.Boolean({ description: 'Whether it takes orders at this moment.' }),
    opensAt: nullable(Instant, 'The next opening, if it is closed by its hours.'),
    acceptWithinMs: nullable(fields.acceptWithinMs, 'Null: a shop, which need not accept orders.'),
    pricesIncludeTax: PricesIncludeTax,
    taxes: TaxRates,
    createdAt: Instant,
  },
  { ...closed, $id: 'Store' },
)
export type Store = Static<typeof Store>
export const StorePage = pageOf(Store)
/** Which stores of a list; all that are given must hold. */
export const StoreFilter = Type.Object(
  {
    q: Type.Optional(searchText('Words that begin a word of the name, as they find products.')),
    kind: Type.Optional(kind),
  },
  closed,
)
export type StoreFilter = Static<typeof StoreFilter>

const storeNotFound = { status: 404, title: 'There is no such store.' } as const
const unfit = {
  commission_not_yours: {
    status: 403,
    title: 'Only the platform sets what it keeps: the scope `ledger:write` is missing.',
  },
  time_zone_unknown: { status: 422, title: 'No IANA time zone has this name.' },
  hours_overlap: {
    status: 422,
    title: 'The store would open while it is open.',
    detail: Type.Object(
      {
        day: Type.Integer({
          minimum: 1,
          maximum: 7,
          description: 'The day of the opening that is in another.',
        }),
        opens: Type.String({ description: 'Its time.' }),
      },
      closed,
    ),
  },
  not_a_restaurant: { status: 422, title: 'Only restaurants accept orders by a deadline.' },
} as const
const settings = { retry: retry.standard, timeoutMs: 10_000 }
/** What orders will be placed on; buyers are not shown the commission. */
const Terms = Type.Object(
  {
    storeId: Id,
    kind,
    capture: fields.capture,
    acceptWithinMs: nullable(fields.acceptWithinMs, 'Null: a shop.'),
    commissionPpm: fields.commissionPpm,
  },
  closed,
)

export const createStore = command('catalog.create-store', {
  summary:
    'Open a shop or a restaurant: always open, accepting, without taxes or commission unless said; shops take the money at once, restaurants once they accept, within five minutes.',
  http: { method: 'POST', path: '/v1/stores', scope: 'catalog:write' },
  input: Type.Object(
    { kind, name, address, timeZone, ...Type.Partial(Type.Object(preset)).properties },
    closed,
  ),
  output: Terms,
  refusals: unfit,
  ...settings,
})

export const updateStore = command('catalog.update-store', {
  summary: 'Change what is given of a store; orders already placed keep the terms they were placed on.',
  http: { method: 'PATCH', path: '/v1/stores/{storeId}', scope: 'catalog:write' },
  input: Type.Object({ storeId: Id, ...Type.Partial(Type.Object(fields)).properties }, closed),
  output: Terms,
  refusals: { store_not_found: storeNotFound, ...unfit },
  ...settings,
})

export const setAccepting = command('catalog.set-accepting', {
  summary: 'Stop taking orders, or take them again: the switch of a kitchen in the rush.',
  http: { method: 'PATCH', path: '/v1/stores/{storeId}/accepting', scope: 'catalog:write' },
  input: Type.Object({ storeId: Id, accepting: Accepting }, closed),
  output: Type.Object({ storeId: Id, accepting: Accepting }, closed),
  refusals: { store_not_found: storeNotFound },
  ...settings,
})

const taxes = { storeId: Id, pricesIncludeTax: PricesIncludeTax, rates: TaxRates }
export const setTaxRates = command('catalog.set-tax-rates', {
  summary: 'Set the taxes of a store: those, and no others.',
  http: { method: 'PUT', path: '/v1/stores/{storeId}/tax-rates', scope: 'catalog:write' },
  input: Type.Object(taxes, closed),
  output: Type.Object(taxes, closed),
  refusals: {
    store_not_found: storeNotFound,
    tax_rate_twice: {
      status: 422,
      title: 'A country has two rates for one class.',
      detail: Type.Object({ country: Country, taxClass: RateClass }, closed),
    },
  },
  ...settings,
})

export const storeChanged = event('store.changed', {
  summary: 'A store was opened, or something about it is no longer as it was.',
  payload: Type.Object({ storeId: Id, kind, accepting: Accepting }, closed),
})
