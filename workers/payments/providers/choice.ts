import type { Env } from '../../../queues/settings.ts'
import type { AskOptions, RestingAsk } from '../../runtime/ask.ts'
import type { Provider } from '../provider.ts'
import { type ProviderName, type ProviderSettings, readProviderSettings } from './config.ts'
import { createSimulator } from './simulator.ts'

/** A provider, and the one way to call it: its own breaker, its own timeout. */
export interface Desk {
  readonly provider: Provider
  readonly ask: RestingAsk
}

/** The preferred one first. */
export type Desks = readonly [Desk, ...Desk[]]

export interface DeskOptions {
  readonly env: Env
  readonly timeoutMs: number
  readonly ask: (options: AskOptions) => RestingAsk
  /** Puts something between us and a provider. */
  readonly wrap?: (provider: Provider) => Provider
}

/** The providers of the settings, each with a breaker of its own. */
export async function openDesks({
  env,
  timeoutMs,
  ask,
  wrap = provider => provider,
}: DeskOptions): Promise<Desks> {
  const settings = readProviderSettings(env)
  const open = async (name: ProviderName): Promise<Desk> => ({
    provider: wrap(await make[name](settings, timeoutMs)),
    ask: ask({ name: `payments.${name}`, timeoutMs }),
  })
  const [preferred, ...others] = settings.names
  return [await open(preferred), ...(await Promise.all(others.map(open)))]
}

/**
 * Where a new payment goes, to stay there for ever: the preferred one of those that take the currency and do not rest;
 * if all of these rest, the preferred one, which takes it later. One that nobody takes is for the preferred one to decline.
 */
export function deskFor(desks: Desks, currency: string): Desk {
  const able = desks.filter(({ provider }) => provider.takes(currency))
  return able.find(({ ask }) => !ask.isResting()) ?? able[0] ?? desks[0]
}

const make = {
  simulator: ({ simulator }: ProviderSettings) => createSimulator(simulator),
  // Its SDK is loaded by who uses it: that takes a tenth of a second and 8 MB.
  stripe: async ({ stripe }: ProviderSettings, timeoutMs: number) =>
    (await import('./stripe.ts')).createStripe({ ...stripe, timeoutMs }),
}
