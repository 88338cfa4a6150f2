import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { closed, Id } from '../../queues/schemas.ts'
import { Store, StoreFilter, StorePage } from '../../queues/stores.ts'
import type { CatalogRoutes } from '../../workers/catalog/routes.ts'
import { revalidated } from '../middleware/revalidate.ts'
import type { Mount } from '../operation.ts'
import { PageParameters } from '../page.ts'
import { answersOf, edenOf, type Upstream } from '../upstream.ts'

const params = Type.Object({ storeId: Id })
const StoreQuery = Type.Object({ ...PageParameters.properties, ...StoreFilter.properties }, closed)

/** Stores are for everybody to read. */
export function mountStores(mount: Mount, upstream: Upstream): void {
  const api = treaty<CatalogRoutes>(...edenOf(upstream))
  const store = answersOf(Store)
  const page = answersOf(StorePage)
  const mountRead = revalidated(mount)

  mountRead(
    {
      id: 'catalog.list-stores',
      method: 'GET',
      path: '/v1/stores',
      tag: 'catalog',
      summary: 'Shops and restaurants, newest first.',
      access: 'public',
      query: StoreQuery,
      answers: { 200: { description: 'One page.', schema: StorePage } },
      problems: ['upstream_unavailable'],
    },
    async ({ query }) => Response.json(await page(api.stores.get({ query }))),
  )
  mountRead(
    {
      id: 'catalog.get-store',
      method: 'GET',
      path: '/v1/stores/{storeId}',
      tag: 'catalog',
      summary: 'One store, and whether it takes orders now.',
      access: 'public',
      params,
      answers: { 200: { description: 'The store.', schema: Store } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ params }) => Response.json(await store(api.stores({ id: params.storeId }).get())),
  )
}
