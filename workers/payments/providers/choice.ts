import type { Env } from '../../../queues/settings.ts'
import type { AskOptions, RestingAsk } from '../../runtime/ask.ts'
import type { Provider } from '../provider.ts'
import { type ProviderSettings, readProviderSettings } from './settings.ts'
import { createSimulator } from './simulator.ts'
import { createStripe } from './stripe.ts'

/** A provider, and the one way to call it: its own breaker, its own timeout. */
export interface Desk {
  readonly provider: Provider
  readonly ask: RestingAsk
}

export interface Desks {
  /**
   * Where a new payment goes, to stay there for ever: the preferred one of those that take the currency and do not
   * rest; if all of these rest, the preferred one, which takes it later. Null: none takes the currency.
   */
  readonly forCharge: (currency: string) => Desk | null
  /** Where a payment is, by the name that is kept on it. Null: that provider is not in the settings any more. */
  readonly named: (name: string) => Desk | null
}

export interface DeskOptions {
  readonly env: Env
  readonly timeoutMs: number
  readonly ask: (options: AskOptions) => RestingAsk
  /** Puts something between us and a provider. */
  readonly wrap?: (provider: Provider) => Provider
}

/** The providers of the settings, each with a breaker of its own. */
export function openDesks({ env, timeoutMs, ask, wrap = provider => provider }: DeskOptions): Desks {
  const settings = readProviderSettings(env)
  return createDesks(
    settings.names.map(name => ({
      provider: wrap(make[name](settings, timeoutMs)),
      ask: ask({ name: `payments.${name}`, timeoutMs }),
    })),
  )
}

/** The preferred one first. */
export function createDesks(desks: readonly Desk[]): Desks {
  return {
    forCharge: currency => {
      const able = desks.filter(({ provider }) => provider.takes(currency))
      return able.find(({ ask }) => !ask.isResting()) ?? able[0] ?? null
    },
    named: name => desks.find(({ provider }) => provider.name === name) ?? null,
  }
}

const make = {
  simulator: ({ simulator }: ProviderSettings) => createSimulator(simulator),
  stripe: ({ stripe }: ProviderSettings, timeoutMs: number) => createStripe({ ...stripe, timeoutMs }),
}
