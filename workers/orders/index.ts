import { orders } from '../../queues/orders.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { handlers } from './commands.ts'
import { readConfig } from './config.ts'
import { createQuoteTokens } from './quote-token.ts'
import { routes } from './routes.ts'

export const ordersService = defineService(orders, ({ sql, env, newId }) => {
  const { secret, returnWithinMs } = readConfig(env)
  return {
    handlers: handlers(sql, createQuoteTokens(secret), { returnWithinMs, newId }),
    routes: routes(sql),
  }
})

if (import.meta.main) await runService(ordersService)
