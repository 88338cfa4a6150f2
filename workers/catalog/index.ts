import { catalog } from '../../queues/catalog.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { handlers } from './commands.ts'
import { routes } from './routes.ts'

export const catalogService = defineService(catalog, ({ sql }) => ({ handlers, routes: routes(sql) }))

if (import.meta.main) await runService(catalogService)
