import type { InputOf } from '../../queues/command.ts'
import { type Rejected, rejected } from '../../queues/outcome.ts'
import type { createStore, setTaxRates, updateStore } from '../../queues/stores.ts'
import { isTimeZone, overlapOf } from './opening-hours.ts'

export interface Stock {
  readonly onHand: number
  readonly reserved: number
}

/** Pieces that can be sold now. */
export const availableOf = ({ onHand, reserved }: Stock): number => onHand - reserved

/** Why the pieces on hand could not be set: the product is not there (null), or more of it is reserved. */
export const refuseStock = (
  current: Stock | null,
): Rejected<'product_not_found'> | Rejected<'below_reserved'> =>
  current === null
    ? rejected('product_not_found')
    : rejected('below_reserved', { reserved: current.reserved })

/** A store as it is kept, without its taxes. */
export type StoreTerms = Required<Omit<InputOf<typeof createStore>, 'address' | 'acceptWithinMs'>> & {
  readonly address: InputOf<typeof createStore>['address'] | null
  readonly acceptWithinMs: number | null
}
export type UnfitStore = Rejected<'time_zone_unknown' | 'hours_overlap' | 'not_a_restaurant'>

const acceptWithinMsDefault = 300_000

/** A new store with what goes without saying. */
export const newStore = (asked: InputOf<typeof createStore>): StoreTerms | UnfitStore =>
  fitted(asked, {
    openingHours: [],
    accepting: true,
    capture: asked.kind === 'restaurant' ? 'manual' : 'automatic',
    commissionPpm: 0,
    ...asked,
    acceptWithinMs: null,
  })

/** The store after the change. */
export const changedStore = (
  store: StoreTerms,
  { storeId: _, ...asked }: InputOf<typeof updateStore>,
): StoreTerms | UnfitStore => fitted(asked, { ...store, ...asked, acceptWithinMs: store.acceptWithinMs })

function fitted(
  asked: Pick<Partial<InputOf<typeof createStore>>, 'acceptWithinMs'>,
  store: StoreTerms,
): StoreTerms | UnfitStore {
  if (!isTimeZone(store.timeZone)) return rejected('time_zone_unknown')
  const overlap = overlapOf(store.openingHours)
  if (overlap) return rejected('hours_overlap', { day: overlap.day, opens: overlap.opens })
  if (store.kind === 'restaurant')
    return { ...store, acceptWithinMs: asked.acceptWithinMs ?? store.acceptWithinMs ?? acceptWithinMsDefault }
  if (asked.acceptWithinMs !== undefined) return rejected('not_a_restaurant')
  return { ...store, acceptWithinMs: null }
}

type TaxRate = InputOf<typeof setTaxRates>['rates'][number]

/** A country and class for which there is more than one rate. */
export function rateThatIsThereTwice(
  rates: readonly TaxRate[],
): Pick<TaxRate, 'country' | 'taxClass'> | null {
  const seen = new Set<string>()
  for (const { country, taxClass } of rates) {
    const key = `${country} ${taxClass}`
    if (seen.has(key)) return { country, taxClass }
    seen.add(key)
  }
  return null
}
