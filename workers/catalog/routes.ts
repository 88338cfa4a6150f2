import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Sql } from '../../db/client.ts'
import { Product, ProductPage } from '../../queues/catalog.ts'
import { Id } from '../../queues/schemas.ts'
import { NotFound, notFound } from '../runtime/http.ts'
import { PageById, rangeOf, toPage } from '../runtime/page.ts'
import { listProducts, readProduct } from './store.ts'

/** Products are for everybody to read. */
export const routes = (sql: Sql) =>
  new Elysia()
    .get('/products', async ({ query }) => toPage(await listProducts(sql, rangeOf(query)), query), {
      query: PageById,
      response: { 200: ProductPage },
    })
    .get(
      '/products/:id',
      async ({ params, status }) => (await readProduct(sql, params.id)) ?? status(404, notFound),
      { params: Type.Object({ id: Id }), response: { 200: Product, 404: NotFound } },
    )

export type CatalogRoutes = ReturnType<typeof routes>
