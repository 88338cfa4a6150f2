import { type Static, Type } from '@sinclair/typebox'
import { Elysia, t } from 'elysia'
import type { Sql } from '../../db/client.ts'
import { type Price, PricePage, Product, ProductFilter, ProductPage } from '../../queues/catalog.ts'
import { Id } from '../../queues/schemas.ts'
import { Store, StoreFilter, StorePage } from '../../queues/stores.ts'
import { NotFound, notFound } from '../runtime/http.ts'
import { PageById, rangeOf, toPage } from '../runtime/page.ts'
import { listPrices, listProducts, readProduct } from './reads.ts'
import type { SearchCache } from './search-cache.ts'
import { listStores, readStore } from './store-reads.ts'

const ProductQuery = Type.Object({ ...PageById.properties, ...ProductFilter.properties })
const StoreQuery = Type.Object({ ...PageById.properties, ...StoreFilter.properties })
const params = Type.Object({ id: Id })

/** Products and stores are for everybody to read. */
export const routes = (sql: Sql, cache: SearchCache) =>
  new Elysia()
    .get(
      '/products',
      async ({ query }) => toPage(await listProducts(sql, cache, { ...query, ...rangeOf(query) }), query),
      { query: ProductQuery, response: { 200: ProductPage } },
    )
    .get(
      '/products/:id',
      async ({ params, status }) => (await readProduct(sql, params.id)) ?? status(404, notFound),
      { params, response: { 200: Product, 404: NotFound } },
    )
    .get(
      '/products/:id/prices',
      async ({ params, query, status }) => {
        const { limit } = rangeOf({ ...(query.limit && { limit: query.limit }) })
        const prices = await listPrices(sql, params.id, { limit, cursor: query.cursor ?? null })
        return prices ? toPricePage(prices, limit) : status(404, notFound)
      },
      { params, query: PageByVersion, response: { 200: PricePage, 404: NotFound } },
    )
    .get(
      '/stores',
      async ({ query }) => toPage(await listStores(sql, { ...query, ...rangeOf(query) }), query),
      { query: StoreQuery, response: { 200: StorePage } },
    )
    .get(
      '/stores/:id',
      async ({ params, status }) => (await readStore(sql, params.id)) ?? status(404, notFound),
      { params, response: { 200: Store, 404: NotFound } },
    )

const PageByVersion = Type.Object({
  limit: PageById.properties.limit,
  cursor: Type.Optional(t.Integer({ minimum: 1, maximum: 1_000_000_000 })),
})

/** One more than is shown was asked for: it tells whether there is another page. */
function toPricePage(prices: readonly Price[], asked: number): Static<typeof PricePage> {
  const items = prices.slice(0, asked - 1)
  return { items, nextCursor: prices.length === asked ? String(items.at(-1)?.version) : null }
}

export type CatalogRoutes = ReturnType<typeof routes>
