import { type catalog, priceChanged, stockChanged } from '../../queues/catalog.ts'
import { done, emit, type Handlers, rejected } from '../../queues/outcome.ts'
import { mainStoreId } from '../../queues/stores.ts'
import { availableOf, refuseStock } from './domain.ts'
import {
  insertProduct,
  readStock,
  updateCategories,
  updatePrice,
  updateProduct,
  updateStock,
} from './store.ts'
import { storeHandlers } from './store-commands.ts'
import { insertVariant } from './variants.ts'

export const handlers: Handlers<typeof catalog> = {
  ...storeHandlers,

  'catalog.create-product':
    async ({ id, now, input }) =>
    async tx => {
      const refusal = await insertProduct(tx, { storeId: mainStoreId, ...input, id, createdAt: now })
      return refusal === null ? done({ productId: id, sku: input.sku }) : rejected(refusal)
    },

  'catalog.create-variant':
    async ({ id, now, input }) =>
    async tx => {
      const refusal = await insertVariant(tx, { ...input, id, createdAt: now })
      return refusal ?? done({ variantId: id, productId: input.productId, sku: input.sku })
    },

  'catalog.update-product':
    async ({ input }) =>
    async tx => {
      const product = await updateProduct(tx, input)
      if (product === null) return rejected('product_not_found')
      return 'variantOf' in product ? rejected('is_variant', { productId: product.variantOf }) : done(product)
    },

  'catalog.set-price': async job => async tx => {
    const price = await updatePrice(tx, { ...job.input, commandId: job.id })
    if (price === null) return rejected('product_not_found')
    if (price.currency !== job.input.currency) return rejected('other_currency', { currency: price.currency })
    if (!price.isNew) return done(job.input)
    return done(job.input, { emit: [emit(priceChanged, { ...job.input, sku: price.sku })] })
  },

  'catalog.set-categories':
    async ({ input }) =>
    async tx => {
      const product = await updateCategories(tx, input.productId, input.categories)
      if (product === null) return rejected('product_not_found')
      const { variantOf } = product
      return variantOf === null ? done(input) : rejected('is_variant', { productId: variantOf })
    },

  'catalog.set-stock':
    async ({ input: { productId, onHand } }) =>
    async tx => {
      const stock = await updateStock(tx, productId, onHand)
      if (stock === null) return refuseStock(await readStock(tx, productId))
      const available = availableOf(stock)
      return done(
        { productId, onHand, reserved: stock.reserved, available },
        { emit: [emit(stockChanged, { productId, sku: stock.sku, onHand, available })] },
      )
    },
}
