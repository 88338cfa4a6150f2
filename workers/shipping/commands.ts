import { done, follow, type Handlers } from '../../queues/outcome.ts'
import { forgetRates, type shipping } from '../../queues/shipping.ts'
import * as store from './store.ts'

/** Rates that one run of the clock deletes; the rest follow at once. */
const forgottenMax = 500

export const handlers = (): Handlers<typeof shipping> => ({
  'shipping.forget-rates': async () => async tx => {
    const rates = await store.forgetRates(tx, forgottenMax)
    return done({ rates }, { follow: rates === forgottenMax ? [follow(forgetRates, {})] : [] })
  },
})
