import { type Static, Type } from '@sinclair/typebox'
import { command, event, service } from './command.ts'
import { retry } from './retry.ts'
import { AmountMinor, Currency, closed, Id, Instant, pageOf, Sku } from './schemas.ts'

const Title = Type.String({ minLength: 1, maxLength: 200, description: 'Name shown to buyers.' })
const Pieces = Type.Integer({ minimum: 0, maximum: 1_000_000_000, description: 'Pieces.' })
const productNotFound = { status: 404, title: 'There is no such product.' } as const

export const Product = Type.Object(
  {
    id: Id,
    sku: Sku,
    title: Title,
    priceMinor: AmountMinor,
    currency: Currency,
    /** What can be sold now: on hand less reserved. */
    available: Type.Integer({ minimum: 0, description: 'Pieces that can be sold now.' }),
    createdAt: Instant,
  },
  { ...closed, $id: 'Product' },
)
export type Product = Static<typeof Product>
export const ProductPage = pageOf(Product)

export const createProduct = command('catalog.create-product', {
  summary: 'Add a product with its price and stock.',
  http: { method: 'POST', path: '/v1/products', scope: 'catalog:write' },
  input: Type.Object(
    { sku: Sku, title: Title, priceMinor: AmountMinor, currency: Currency, onHand: Pieces },
    closed,
  ),
  output: Type.Object({ productId: Id, sku: Sku }, closed),
  refusals: { sku_taken: { status: 409, title: 'Another product has this SKU.' } },
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const setPrice = command('catalog.set-price', {
  summary: 'Change the price of a product; orders already placed keep theirs.',
  http: { method: 'PATCH', path: '/v1/products/{productId}/price', scope: 'catalog:write' },
  input: Type.Object({ productId: Id, priceMinor: AmountMinor, currency: Currency }, closed),
  output: Type.Object({ productId: Id, priceMinor: AmountMinor, currency: Currency }, closed),
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
  summary: 'Products, prices and stock.',
  commands: [createProduct, setPrice, setStock],
  events: [priceChanged, stockChanged],
  concurrency: 20,
  lockMs: 10_000,
})
