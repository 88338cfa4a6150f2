import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { Product, ProductPage } from '../../queues/catalog.ts'
import { Id } from '../../queues/schemas.ts'
import type { CatalogRoutes } from '../../workers/catalog/routes.ts'
import type { Mount } from '../operation.ts'
import { PageParameters } from '../page.ts'
import { answersOf, edenOf, type Upstream } from '../upstream.ts'

/** Products are for everybody to read. */
export function mountCatalog(mount: Mount, upstream: Upstream): void {
  const api = treaty<CatalogRoutes>(...edenOf(upstream))
  const product = answersOf(Product)
  const page = answersOf(ProductPage)

  mount(
    {
      id: 'catalog.list-products',
      method: 'GET',
      path: '/v1/products',
      tag: 'catalog',
      summary: 'Products, newest first.',
      access: 'public',
      query: PageParameters,
      answers: { 200: { description: 'One page.', schema: ProductPage } },
      problems: ['upstream_unavailable'],
    },
    async ({ query }) => Response.json(await page(api.products.get({ query }))),
  )
  mount(
    {
      id: 'catalog.get-product',
      method: 'GET',
      path: '/v1/products/{productId}',
      tag: 'catalog',
      summary: 'One product.',
      access: 'public',
      params: Type.Object({ productId: Id }),
      answers: { 200: { description: 'The product.', schema: Product } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ params }) => Response.json(await product(api.products({ id: params.productId }).get())),
  )
}
