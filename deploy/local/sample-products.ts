import type { Client } from '../../client/client.ts'
import type { createProduct } from '../../queues/catalog.ts'
import type { InputOf } from '../../queues/command.ts'

export const sampleProducts = [
  {
    sku: 'MUG-BLUE',
    title: 'Blue mug',
    priceMinor: 1290,
    currency: 'EUR',
    onHand: 100_000,
    categories: ['Kitchen', 'Gifts'],
  },
  {
    sku: 'TEA-ASSAM',
    title: 'Assam tea, 100 g',
    priceMinor: 790,
    currency: 'EUR',
    onHand: 100_000,
    categories: ['Kitchen'],
  },
  {
    sku: 'POSTER-A2',
    title: 'Poster, A2',
    priceMinor: 2400,
    currency: 'EUR',
    onHand: 250,
    categories: ['Gifts'],
  },
] satisfies readonly InputOf<typeof createProduct>[]

/** Puts the samples into the catalog, as a merchant would. Safe to run again. */
export async function ensureSampleProducts({ catalog }: Client): Promise<void> {
  await Promise.all(
    sampleProducts.map(async product => {
      // The same key at every start. What is older than the journal's memory of keys is refused by its SKU.
      const idempotencyKey = `sample-${Bun.hash(JSON.stringify(product))}`
      const operation = await catalog.createProduct(product, { idempotencyKey, waitSeconds: 30 })
      const { state } = await operation.wait()
      if (state === 'dead') throw new Error(`${product.sku} could not be added: see the log`)
    }),
  )
}
