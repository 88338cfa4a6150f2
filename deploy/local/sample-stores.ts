import type { Client } from '../../client/client.ts'
import type { createProduct } from '../../queues/catalog.ts'
import type { InputOf } from '../../queues/command.ts'
import type { createStore } from '../../queues/stores.ts'

interface Sample {
  readonly store: InputOf<typeof createStore>
  readonly pricesIncludeTax: boolean
  readonly rates: { country: string; taxClass: 'standard' | 'reduced'; ratePpm: number; name: string }[]
  readonly products: readonly Omit<InputOf<typeof createProduct>, 'storeId'>[]
}

const everyDay = (opens: string, closes: string) => [1, 2, 3, 4, 5, 6, 7].map(day => ({ day, opens, closes }))

const samples: readonly Sample[] = [
  {
    store: {
      kind: 'shop',
      name: 'Paper & Ink',
      address: { line1: 'Torstraße 1', city: 'Berlin', postalCode: '10119', country: 'DE' },
      timeZone: 'Europe/Berlin',
      commissionPpm: 50_000,
    },
    pricesIncludeTax: true,
    rates: [
      { country: 'DE', taxClass: 'standard', ratePpm: 190_000, name: 'VAT' },
      { country: 'DE', taxClass: 'reduced', ratePpm: 70_000, name: 'VAT' },
    ],
    products: [
      {
        sku: 'NOTEBOOK-A5',
        title: 'Notebook, A5',
        priceMinor: 1490,
        currency: 'EUR',
        onHand: 400,
        weightG: 310,
      },
    ],
  },
  {
    store: {
      kind: 'restaurant',
      name: 'Trattoria Sole',
      address: { line1: 'Via Roma 1', city: 'Torino', postalCode: '10121', country: 'IT' },
      timeZone: 'Europe/Rome',
      openingHours: everyDay('11:30', '23:30'),
      commissionPpm: 120_000,
    },
    pricesIncludeTax: true,
    rates: [{ country: 'IT', taxClass: 'reduced', ratePpm: 100_000, name: 'IVA' }],
    products: [
      {
        sku: 'PIZZA-SOLE',
        title: 'Pizza Sole',
        description: 'Tomato, mozzarella, basil.',
        priceMinor: 950,
        currency: 'EUR',
        onHand: 500,
        taxClass: 'reduced',
        weightG: 600,
      },
    ],
  },
]

/** Opens a shop and a restaurant beside the main store, as an operator would. Safe to run again. */
export async function ensureSampleStores({ catalog }: Client): Promise<void> {
  await Promise.all(
    samples.map(async ({ store, products, ...taxes }) => {
      const known = await catalog.listStores({ q: store.name })
      if (known.items.length > 0) return
      const idempotencyKey = `sample-${Bun.hash(JSON.stringify(store))}`
      const { id: storeId, wait } = await catalog.createStore(store, { idempotencyKey, waitSeconds: 30 })
      if ((await wait()).state !== 'succeeded')
        throw new Error(`${store.name} could not be opened: see the log`)
      await catalog.setTaxRates({ storeId, ...taxes }, { idempotencyKey: `${idempotencyKey}-taxes` })
      for (const product of products)
        await catalog.createProduct({ ...product, storeId }, { idempotencyKey: `sample-${product.sku}` })
    }),
  )
}
