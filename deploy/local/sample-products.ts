import { type Api, ApiError } from './api.ts'

export const sampleProducts = [
  { sku: 'MUG-BLUE', title: 'Blue mug', priceMinor: 1290, currency: 'EUR', onHand: 100_000 },
  { sku: 'TEA-ASSAM', title: 'Assam tea, 100 g', priceMinor: 790, currency: 'EUR', onHand: 100_000 },
  { sku: 'POSTER-A2', title: 'Poster, A2', priceMinor: 2400, currency: 'EUR', onHand: 250 },
] as const

/** Puts the samples into the catalog, as a merchant would. Safe to run again. */
export async function ensureSampleProducts(merchant: Api): Promise<void> {
  await Promise.all(
    sampleProducts.map(async product => {
      // The same key at every start; a product that is older than the journal's memory of keys has its SKU.
      const idempotencyKey = `sample-${Bun.hash(JSON.stringify(product))}`
      try {
        await merchant.post('/v1/products', { body: product, idempotencyKey, wait: 30 })
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== 'sku_taken') throw error
      }
    }),
  )
}
