import { shipping } from '../../queues/shipping.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { createCarriers } from './carriers.ts'
import { handlers } from './commands.ts'
import { readShippingSettings } from './config.ts'
import { routes } from './routes.ts'

export const shippingService = defineService(shipping, ({ sql, env, ask, newId }) => {
  const settings = readShippingSettings(env)
  const carriers = createCarriers(settings, ask)
  return { handlers: handlers({ sql, carriers, newId }), routes: routes() }
})

if (import.meta.main) await runService(shippingService)
