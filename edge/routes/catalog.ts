import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { PricePage, Product, ProductFilter, ProductPage } from '../../queues/catalog.ts'
import { closed, Id } from '../../queues/schemas.ts'
import type { CatalogRoutes } from '../../workers/catalog/routes.ts'
import { revalidated } from '../middleware/revalidate.ts'
import type { Mount } from '../operation.ts'
import { PageParameters } from '../page.ts'
import { answersOf, edenOf, type Upstream } from '../upstream.ts'

const params = Type.Object({ productId: Id })
const ProductQuery = Type.Object({ ...PageParameters.properties, ...ProductFilter.properties }, closed)
const PriceQuery = Type.Object(
  {
    limit: PageParameters.properties.limit,
    cursor: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000_000,
        description: '`nextCursor` of the page before.',
      }),
    ),
  },
  closed,
)

/** Products are for everybody to read. */
export function mountCatalog(mount: Mount, upstream: Upstream): void {
  const api = treaty<CatalogRoutes>(...edenOf(upstream))
  const product = answersOf(Product)
  const page = answersOf(ProductPage)
  const prices = answersOf(PricePage)
  const mountRead = revalidated(mount)

  mountRead(
    {
      id: 'catalog.list-products',
      method: 'GET',
      path: '/v1/products',
      tag: 'catalog',
      summary: 'Products, newest first: all of them, or those that were searched for.',
      access: 'public',
      query: ProductQuery,
      answers: { 200: { description: 'One page.', schema: ProductPage } },
      problems: ['upstream_unavailable'],
    },
    async ({ query }) => Response.json(await page(api.products.get({ query }))),
  )
  mountRead(
    {
      id: 'catalog.get-product',
      method: 'GET',
      path: '/v1/products/{productId}',
      tag: 'catalog',
      summary: 'One product.',
      access: 'public',
      params,
      answers: { 200: { description: 'The product.', schema: Product } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ params }) => Response.json(await product(api.products({ id: params.productId }).get())),
  )
  mountRead(
    {
      id: 'catalog.list-prices',
      method: 'GET',
      path: '/v1/products/{productId}/prices',
      tag: 'catalog',
      summary: 'Every price that a product had, newest first: the first item is its price now.',
      access: 'public',
      params,
      query: PriceQuery,
      answers: { 200: { description: 'One page.', schema: PricePage } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ params, query }) =>
      Response.json(await prices(api.products({ id: params.productId }).prices.get({ query }))),
  )
}
