import { shipping } from '../../queues/shipping.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { createCarriers } from './carriers.ts'
import { handlers } from './commands.ts'
import { readShippingSettings } from './config.ts'
import { routes } from './routes.ts'
import { createTakeHint } from './webhooks.ts'

export const shippingService = defineService(shipping, deps => {
  const { sql, newId } = deps
  const settings = readShippingSettings(deps.env)
  const carriers = createCarriers(settings, deps.ask)
  return {
    handlers: handlers({ sql, carriers, newId, inquiriesMs: settings.inquiriesMs }),
    routes: routes(sql, createTakeHint(deps, carriers)),
  }
})

if (import.meta.main) await runService(shippingService)
