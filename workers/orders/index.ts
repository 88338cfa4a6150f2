import { orders } from '../../queues/orders.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { handlers } from './commands.ts'
import { routes } from './routes.ts'

export const ordersService = defineService(orders, ({ sql }) => ({
  handlers: handlers(sql),
  routes: routes(sql),
}))

if (import.meta.main) await runService(ordersService)
