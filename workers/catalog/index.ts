import { catalog } from '../../queues/catalog.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { handlers } from './commands.ts'
import { routes } from './routes.ts'
import { createSearchCache } from './search-cache.ts'

export const catalogService = defineService(catalog, deps => {
  const cache = createSearchCache(deps)
  return { handlers, routes: routes(deps.sql, cache), close: cache.close }
})

if (import.meta.main) await runService(catalogService)
