import { type catalog, priceChanged, stockChanged } from '../../queues/catalog.ts'
import { done, emit, type Handlers, rejected } from '../../queues/outcome.ts'
import { availableOf, refuseStock } from './domain.ts'
import { insertProduct, readStock, updateCategories, updatePrice, updateStock } from './store.ts'

export const handlers: Handlers<typeof catalog> = {
  'catalog.create-product': async job => async tx => {
    const isThere = await insertProduct(tx, { ...job.input, id: job.id, createdAt: job.now })
    return isThere ? done({ productId: job.id, sku: job.input.sku }) : rejected('sku_taken')
  },

  'catalog.set-price': async job => async tx => {
    const price = await updatePrice(tx, { ...job.input, commandId: job.id })
    if (price === null) return rejected('product_not_found')
    if (!price.isNew) return done(job.input)
    return done(job.input, { emit: [emit(priceChanged, { ...job.input, sku: price.sku })] })
  },

  'catalog.set-categories':
    async ({ input }) =>
    async tx => {
      const isThere = await updateCategories(tx, input.productId, input.categories)
      return isThere ? done(input) : rejected('product_not_found')
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
