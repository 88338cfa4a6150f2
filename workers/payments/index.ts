import { payments } from '../../queues/payments.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { handlers } from './commands.ts'
import { readPaymentSettings } from './config.ts'
import type { Provider } from './provider.ts'
import { remotesOf } from './remote.ts'
import { routes } from './routes.ts'
import { createSandbox } from './sandbox.ts'
import { createOpenPayment } from './store.ts'
import { createTakeEvent } from './webhooks.ts'

/** Payments at the provider that `choose` gives. */
export const paymentsAt = (choose: (sandbox: Provider) => Provider) =>
  defineService(payments, ({ sql, env, ask, newId, now, enqueue }) => {
    const { timeoutMs, ...waits } = readPaymentSettings(env)
    const provider = choose(createSandbox(sql))
    const chosen = { provider, ask: ask({ name: `payments.${provider.name}`, timeoutMs }) }
    const openPayment = createOpenPayment(sql)
    return {
      handlers: handlers({ sql, openPayment, newId, enqueue, ...waits, ...remotesOf([chosen]) }),
      routes: routes(
        sql,
        createTakeEvent({ sql, newId, now, enqueue }, name => (name === provider.name ? provider : null)),
      ),
    }
  })

export const paymentsService = paymentsAt(sandbox => sandbox)

if (import.meta.main) await runService(paymentsService)
