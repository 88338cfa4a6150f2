import { type Static, Type } from '@sinclair/typebox'
import { command, event, service } from './command.ts'
import { retry } from './retry.ts'
import { AmountMinor, Currency, closed, Id, Instant, lineOfText, pageOf, Sku } from './schemas.ts'

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
const productNotFound = { status: 404, title: 'There is no such product.' } as const

export const Product = Type.Object(
  {
    id: Id,
    sku: Sku,
    title: Type.String({ description: 'Name shown to buyers.' }),
    priceMinor: AmountMinor,
    currency: Currency,
    categories: Type.Array(Type.String(), { description: 'Its categories, in alphabetical order.' }),
    /** What can be sold now: on hand less reserved. */
    available: Type.Integer({ minimum: 0, description: 'Pieces that can be sold now.' }),
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
      Type.String({
        minLength: 1,
        maxLength: 100,
        pattern: '^[^\\u0000]*$',
        description:
          'Words that begin a word of the title or SKU, each of them, whatever their accents and case: `gre tea` finds Green tea. Without a letter or digit it finds nothing.',
      }),
    ),
    category: Type.Optional(Category),
    sku: Type.Optional(Sku),
  },
  closed,
)
export type ProductFilter = Static<typeof ProductFilter>

export const Price = Type.Object(
  {
    version: Type.Integer({ minimum: 1, description: 'Counts the prices of the product from 1.' }),
    priceMinor: AmountMinor,
    currency: Currency,
    since: { ...Instant, description: 'When it became the price: RFC 3339, UTC.' },
    commandId: Type.Union([Id, Type.Null()], {
      description: 'The command that set it; null if it is older than this history and nobody knows.',
    }),
  },
  { ...closed, $id: 'Price' },
)
export type Price = Static<typeof Price>
export const PricePage = pageOf(Price)

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
    },
    closed,
  ),
  output: Type.Object({ productId: Id, sku: Sku }, closed),
  refusals: { sku_taken: { status: 409, title: 'Another product has this SKU.' } },
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const setPrice = command('catalog.set-price', {
  summary:
    'Change the price of a product; orders already placed keep theirs, and the price that it has already changes nothing.',
  http: { method: 'PATCH', path: '/v1/products/{productId}/price', scope: 'catalog:write' },
  input: Type.Object({ productId: Id, priceMinor: AmountMinor, currency: Currency }, closed),
  output: Type.Object({ productId: Id, priceMinor: AmountMinor, currency: Currency }, closed),
  refusals: { product_not_found: productNotFound },
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const setCategories = command('catalog.set-categories', {
  summary: 'Set the categories of a product: those, and no others.',
  http: { method: 'PATCH', path: '/v1/products/{productId}/categories', scope: 'catalog:write' },
  input: Type.Object({ productId: Id, categories: Categories }, closed),
  output: Type.Object({ productId: Id, categories: Categories }, closed),
  refusals: { product_not_found: productNotFound },
  retry: retry.standard,
  timeoutMs: 10_000,
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
  retry: retry.standard,
  timeoutMs: 10_000,
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
  summary: 'Products, their prices, categories and stock.',
  commands: [createProduct, setPrice, setStock, setCategories],
  events: [priceChanged, stockChanged],
  concurrency: 20,
  lockMs: 10_000,
})
