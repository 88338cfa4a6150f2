import { shipping } from '../../queues/shipping.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { handlers } from './commands.ts'
import { routes } from './routes.ts'

export const shippingService = defineService(shipping, () => ({ handlers: handlers(), routes: routes() }))

if (import.meta.main) await runService(shippingService)
