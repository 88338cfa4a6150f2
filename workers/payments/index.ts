import { payments } from '../../queues/payments.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { handlers } from './commands.ts'
import { readPaymentSettings } from './config.ts'
import type { Provider } from './provider.ts'
import { openDesks } from './providers/choice.ts'
import { remotesOf } from './remote.ts'
import { routes } from './routes.ts'
import { createOpenPayment } from './store.ts'
import { createTakeEvent } from './webhooks.ts'

/** Payments at the providers of the settings, with what `wrap` puts between. */
export const paymentsAt = (wrap: (provider: Provider) => Provider) =>
  defineService(payments, async ({ sql, env, ask, newId, now, enqueue }) => {
    const { timeoutMs, ...waits } = readPaymentSettings(env)
    const desks = await openDesks({ env, timeoutMs, ask, wrap })
    const providerNamed = (name: string) =>
      desks.find(({ provider }) => provider.name === name)?.provider ?? null
    const openPayment = createOpenPayment(sql)
    return {
      handlers: handlers({ sql, openPayment, newId, enqueue, ...waits, ...remotesOf(desks) }),
      routes: routes(sql, createTakeEvent({ sql, newId, now, enqueue }, providerNamed)),
    }
  })

export const paymentsService = paymentsAt(provider => provider)

if (import.meta.main) await runService(paymentsService)
