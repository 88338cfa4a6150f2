import type { catalog } from '../../queues/catalog.ts'
import { done, emit, type Handlers, type Job, rejected } from '../../queues/outcome.ts'
import { storeChanged } from '../../queues/stores.ts'
import { changedStore, newStore, rateThatIsThereTwice, type StoreTerms } from './domain.ts'
import { insertStore, knowsTimeZone, lockStore, updateAccepting, updateStore, updateTaxes } from './stores.ts'

type Names =
  | 'catalog.create-store'
  | 'catalog.update-store'
  | 'catalog.set-accepting'
  | 'catalog.set-tax-rates'

/** What merchants do with stores. */
export const storeHandlers: Pick<Handlers<typeof catalog>, Names> = {
  'catalog.create-store': async ({ id, now, input, actor }) => {
    const store = newStore(input)
    if (!isFit(store)) return store
    if (store.commissionPpm !== 0 && !maySetCommission(actor)) return rejected('commission_not_yours')
    return async tx => {
      if (!(await knowsTimeZone(tx, store.timeZone))) return rejected('time_zone_unknown')
      const isNew = await insertStore(tx, { ...store, id, createdAt: now })
      return done(termsOf(id, store), { emit: isNew ? [changed(id, store)] : [] })
    }
  },

  'catalog.update-store':
    async ({ input, actor }) =>
    async tx => {
      const { storeId } = input
      const current = await lockStore(tx, storeId)
      if (current === null) return rejected('store_not_found')
      const store = changedStore(current, input)
      if (!isFit(store)) return store
      if (store.commissionPpm !== current.commissionPpm && !maySetCommission(actor))
        return rejected('commission_not_yours')
      if (!(await knowsTimeZone(tx, store.timeZone))) return rejected('time_zone_unknown')
      const isNew = await updateStore(tx, storeId, store)
      return done(termsOf(storeId, store), { emit: isNew ? [changed(storeId, store)] : [] })
    },

  'catalog.set-accepting':
    async ({ input }) =>
    async tx => {
      const store = await updateAccepting(tx, input.storeId, input.accepting)
      if (store === null) return rejected('store_not_found')
      return done(input, { emit: store.isNew ? [changed(input.storeId, store)] : [] })
    },

  'catalog.set-tax-rates': async ({ input }) => {
    const twice = rateThatIsThereTwice(input.rates)
    if (twice) return rejected('tax_rate_twice', twice)
    return async tx => {
      const store = await updateTaxes(tx, input)
      if (store === null) return rejected('store_not_found')
      return done(input, { emit: store.isNew ? [changed(input.storeId, store)] : [] })
    }
  },
}

const isFit = (store: ReturnType<typeof newStore>): store is StoreTerms => 'timeZone' in store

/** Those who sell do not decide what is kept of it; what the system itself asks for has no scopes. */
const maySetCommission = (actor: Job['actor']): boolean =>
  actor === null || actor.scopes.length === 0 || actor.scopes.includes('ledger:write')

const termsOf = (storeId: string, { kind, capture, acceptWithinMs, commissionPpm }: StoreTerms) => ({
  storeId,
  kind,
  capture,
  acceptWithinMs,
  commissionPpm,
})

const changed = (storeId: string, { kind, accepting }: Pick<StoreTerms, 'kind' | 'accepting'>) =>
  emit(storeChanged, { storeId, kind, accepting })
