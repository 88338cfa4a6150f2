import { type Static, Type } from '@sinclair/typebox'
import { command, event, service } from './command.ts'
import { retry } from './retry.ts'
import { AmountMinor, Currency, closed, Id, Instant, lineOfText, pageOf, Sku, searchText } from './schemas.ts'
import { createStore, setAccepting, setTaxRates, storeChanged, TaxClass, updateStore } from './stores.ts'

const Title = lineOfText(200, 'Name shown to buyers.')
const Category = lineOfText(
  60,
  'A category by its name, as exact as it is spelled: a mug is both Kitchen and Gifts.',
)
const Categories = Type.Array(Category, {
  maxItems: 20,
  uniqueItems: true,
  description: 'The categories of the product.',
})
const Pieces = Type.Integer({ minimum: 0, maximum: 1_000_000_000, description: 'Pieces.' })
const Description = Type.String({
  maxLength: 4_000,
  pattern: '^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*$',
  description: 'What buyers should know of it, in lines of plain text; may be empty.',
})
const WeightG = Type.Integer({
  minimum: 0,
  maximum: 10_000_000,
  description: 'What one piece weighs with its wrapping, in grams.',
})
const Options = Type.Record(
  Type.String({ pattern: '^[A-Za-z][A-Za-z0-9 _-]{0,29}$' }),
  lineOfText(60, 'The value of an option.'),
  {
    ...closed,
    minProperties: 1,
    maxProperties: 5,
    description: 'What tells it from the other variants, such as `{"size": "M"}`.',
  },
)
/** Prices that are shown may be older than the list of currencies. */
const CurrencyShown = Type.String({ description: 'ISO 4217 code, such as EUR.' })
const productNotFound = { status: 404, title: 'There is no such product.' } as const

/** What is sold by a SKU of its own. */
const item = {
  id: Id,
  sku: Sku,
  priceMinor: AmountMinor,
  currency: CurrencyShown,
  weightG: WeightG,
  /** What can be sold now: on hand less reserved. */
  available: Type.Integer({ minimum: 0, description: 'Pieces that can be sold now.' }),
}
const Variant = Type.Object({ ...item, options: Options }, { ...closed, $id: 'Variant' })

export const Product = Type.Object(
  {
    ...item,
    storeId: Id,
    title: Type.String({ description: 'Name shown to buyers; of a variant, with its options.' }),
    description: Description,
    taxClass: TaxClass,
    categories: Type.Array(Type.String(), {
      description: 'Its categories, in alphabetical order; a variant has none of its own.',
    }),
    variantOf: Type.Union([Id, Type.Null()], { description: 'The product of which it is a variant.' }),
    options: Type.Union([Options, Type.Null()], { description: 'Null unless it is a variant.' }),
    variants: Type.Array(Variant, { description: 'Its variants, oldest first, each sold by its own SKU.' }),
    createdAt: Instant,
  },
  { ...closed, $id: 'Product' },
)
export type Product = Static<typeof Product>
export const ProductPage = pageOf(Product)

/** Which products of a list; all that are given must hold. */
export const ProductFilter = Type.Object(
  {
    q: Type.Optional(
      searchText(
        'Words that begin a word of the title or SKU, or of the title, options or SKU of one variant, each of them, whatever their accents and case: `gre tea` finds Green tea. Without a letter or digit it finds nothing.',
      ),
    ),
    category: Type.Optional(Category),
    sku: Type.Optional({ ...Sku, description: 'The SKU of a product, or of one of its variants.' }),
    storeId: Type.Optional({ ...Id, description: 'The store whose products they are.' }),
  },
  closed,
)
export type ProductFilter = Static<typeof ProductFilter>

export const Price = Type.Object(
  {
    version: Type.Integer({ minimum: 1, description: 'Counts the prices of the product from 1.' }),
    priceMinor: AmountMinor,
    currency: CurrencyShown,
    since: { ...Instant, description: 'When it became the price: RFC 3339, UTC.' },
    commandId: Type.Union([Id, Type.Null()], {
      description: 'The command that set it; null if it is older than this history and nobody knows.',
    }),
  },
  { ...closed, $id: 'Price' },
)
export type Price = Static<typeof Price>
export const PricePage = pageOf(Price)

const settings = { retry: retry.standard, timeoutMs: 10_000 }
const skuTaken = { status: 409, title: 'Another product has this SKU.' } as const
const isVariant = {
  status: 409,
  title: 'That belongs to the product of which this is a variant.',
  detail: Type.Object({ productId: Id }, closed),
} as const

export const createProduct = command('catalog.create-product', {
  summary: 'Add a product with its price and stock.',
  http: { method: 'POST', path: '/v1/products', scope: 'catalog:write' },
  input: Type.Object(
    {
      sku: Sku,
      title: Title,
      priceMinor: AmountMinor,
      currency: Currency,
      onHand: Pieces,
      categories: Type.Optional(Categories),
      storeId: Type.Optional({ ...Id, description: 'Whose it is; the main store unless said.' }),
      description: Type.Optional(Description),
      weightG: Type.Optional(WeightG),
      taxClass: Type.Optional(TaxClass),
    },
    closed,
  ),
  output: Type.Object({ productId: Id, sku: Sku }, closed),
  refusals: {
    sku_taken: skuTaken,
    store_not_found: { status: 404, title: 'There is no such store.' },
  },
  ...settings,
})

export const createVariant = command('catalog.create-variant', {
  summary:
    'Add a variant of a product: with its own SKU, price and stock, of the same store, currency, tax class and categories.',
  http: { method: 'POST', path: '/v1/products/{productId}/variants', scope: 'catalog:write' },
  input: Type.Object(
    {
      productId: Id,
      sku: Sku,
      options: Options,
      priceMinor: AmountMinor,
      onHand: Pieces,
      weightG: Type.Optional({ ...WeightG, description: 'In grams; that of the product unless said.' }),
    },
    closed,
  ),
  output: Type.Object({ variantId: Id, productId: Id, sku: Sku }, closed),
  refusals: {
    product_not_found: productNotFound,
    sku_taken: skuTaken,
    variant_exists: {
      status: 409,
      title: 'The product has a variant with these options.',
      detail: Type.Object({ variantId: Id }, closed),
    },
    is_variant: isVariant,
    too_many_variants: { status: 409, title: 'The product has 100 variants, and no product may have more.' },
  },
  ...settings,
})

export const updateProduct = command('catalog.update-product', {
  summary: 'Change what is given of a product; of its variants, title and tax class follow it.',
  http: { method: 'PATCH', path: '/v1/products/{productId}', scope: 'catalog:write' },
  input: Type.Object(
    {
      productId: Id,
      title: Type.Optional(Title),
      description: Type.Optional(Description),
      weightG: Type.Optional(WeightG),
      taxClass: Type.Optional(TaxClass),
    },
    closed,
  ),
  output: Type.Object(
    { productId: Id, title: Type.String(), description: Description, weightG: WeightG, taxClass: TaxClass },
    closed,
  ),
  refusals: { product_not_found: productNotFound, is_variant: isVariant },
  ...settings,
})

export const setPrice = command('catalog.set-price', {
  summary:
    'Change the price of a product; orders already placed keep theirs, and the price that it has already changes nothing.',
  http: { method: 'PATCH', path: '/v1/products/{productId}/price', scope: 'catalog:write' },
  input: Type.Object({ productId: Id, priceMinor: AmountMinor, currency: Currency }, closed),
  output: Type.Object({ productId: Id, priceMinor: AmountMinor, currency: Currency }, closed),
  refusals: {
    product_not_found: productNotFound,
    other_currency: {
      status: 409,
      title: 'A product and its variants have one currency.',
      detail: Type.Object({ currency: CurrencyShown }, closed),
    },
  },
  ...settings,
})

export const setCategories = command('catalog.set-categories', {
  summary: 'Set the categories of a product: those, and no others.',
  http: { method: 'PATCH', path: '/v1/products/{productId}/categories', scope: 'catalog:write' },
  input: Type.Object({ productId: Id, categories: Categories }, closed),
  output: Type.Object({ productId: Id, categories: Categories }, closed),
  refusals: { product_not_found: productNotFound, is_variant: isVariant },
  ...settings,
})

export const setStock = command('catalog.set-stock', {
  summary: 'Set the pieces on hand, as counted.',
  http: { method: 'PATCH', path: '/v1/products/{productId}/stock', scope: 'catalog:write' },
  input: Type.Object({ productId: Id, onHand: Pieces }, closed),
  output: Type.Object({ productId: Id, onHand: Pieces, reserved: Pieces, available: Pieces }, closed),
  refusals: {
    product_not_found: productNotFound,
    below_reserved: {
      status: 409,
      title: 'More pieces than that are reserved by open orders.',
      detail: Type.Object({ reserved: Pieces }, closed),
    },
  },
  ...settings,
})

export const priceChanged = event('product.price-changed', {
  summary: 'A product has a new price.',
  payload: Type.Object({ productId: Id, sku: Sku, priceMinor: AmountMinor, currency: Currency }, closed),
})
export const stockChanged = event('product.stock-changed', {
  summary: 'The pieces on hand were set.',
  payload: Type.Object({ productId: Id, sku: Sku, onHand: Pieces, available: Pieces }, closed),
})

export const catalog = service('catalog', {
  summary: 'Stores, their products, prices, categories and stock.',
  commands: [
    createProduct,
    updateProduct,
    createVariant,
    setPrice,
    setStock,
    setCategories,
    createStore,
    updateStore,
    setAccepting,
    setTaxRates,
  ],
  events: [priceChanged, stockChanged, storeChanged],
  concurrency: 20,
  lockMs: 10_000,
})
