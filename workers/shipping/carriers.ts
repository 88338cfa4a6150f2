import type { Ask } from '../runtime/ask.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import type { Carrier } from './carrier.ts'
import { manual } from './carriers/manual.ts'
import { createSimulated } from './carriers/simulator.ts'
import type { ShippingSettings } from './config.ts'

/** A carrier with the one way to call it. */
export interface CarrierAtWork {
  readonly carrier: Carrier
  readonly ask: Ask
}
/** Those of the settings, by name. */
export type Carriers = ReadonlyMap<string, CarrierAtWork>

/** The carriers that the settings name, each with a timeout and a breaker of its own. */
export const createCarriers = (
  { carriers, timeoutMs, simulator }: ShippingSettings,
  ask: ServiceDeps['ask'],
): Carriers =>
  new Map(
    carriers.map(name => [
      name,
      {
        carrier: name === 'manual' ? manual : createSimulated(simulator),
        ask: ask({ name: `shipping.${name}`, timeoutMs }),
      },
    ]),
  )
