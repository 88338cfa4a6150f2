import type { InputOf } from '../../queues/command.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { setTaxRates } from '../../queues/stores.ts'
import type { StoreTerms } from './domain.ts'

/** Whether Postgres knows the time zone, too: it judges the opening hours. */
export async function knowsTimeZone(tx: Tx, timeZone: string): Promise<boolean> {
  const [row] = await tx<{ known: boolean }[]>`select catalog.knows_time_zone(${timeZone}) as known`
  return row?.known === true
}

/** True if it was not there before. */
export async function insertStore(
  tx: Tx,
  { id, createdAt, ...store }: StoreTerms & { readonly id: string; readonly createdAt: Date },
): Promise<boolean> {
  const inserted = await tx`
    insert into catalog.stores (id, created_at, kind, name, address, time_zone, opening_hours, accepting, capture,
      accept_within_ms, commission_ppm)
    values (${id}, ${createdAt}, ${valuesOf(tx, store)}) on conflict (id) do nothing`
  return inserted.count > 0
}

/** The store, locked so that two changes follow each other. */
export async function lockStore(tx: Tx, id: string): Promise<StoreTerms | null> {
  const [row] = await tx<StoreTerms[]>`
    select kind, name, address, time_zone as "timeZone", opening_hours as "openingHours", accepting, capture,
      accept_within_ms as "acceptWithinMs", commission_ppm as "commissionPpm"
    from catalog.stores where id = ${id} for no key update`
  return row ?? null
}

/** True if that is another store than before. */
export async function updateStore(tx: Tx, id: string, store: StoreTerms): Promise<boolean> {
  const columns = tx`kind, name, address, time_zone, opening_hours, accepting, capture, accept_within_ms, commission_ppm`
  const changed = await tx`
    update catalog.stores set (${columns}) = (${valuesOf(tx, store)})
    where id = ${id} and (${columns}) is distinct from (${valuesOf(tx, store)})`
  return changed.count > 0
}

const valuesOf = (tx: Tx, store: StoreTerms) => tx`
  ${store.kind}::text, ${store.name}::text, ${store.address && tx.json(store.address)}::jsonb, ${store.timeZone}::text,
  ${tx.json(store.openingHours)}::jsonb, ${store.accepting}::boolean, ${store.capture}::text,
  ${store.acceptWithinMs}::integer, ${store.commissionPpm}::integer`

/** What tells of a store, and whether it is another than before. */
export interface Touched {
  readonly kind: StoreTerms['kind']
  readonly accepting: boolean
  readonly isNew: boolean
}

/** Null if there is no such store. */
export async function updateAccepting(tx: Tx, id: string, accepting: boolean): Promise<Touched | null> {
  const [changed] = await tx<Omit<Touched, 'isNew'>[]>`
    update catalog.stores set accepting = ${accepting} where id = ${id} and accepting <> ${accepting}
    returning kind, accepting`
  return changed ? { ...changed, isNew: true } : await untouched(tx, id)
}

/** Null if there is no such store. */
export async function updateTaxes(
  tx: Tx,
  { storeId, pricesIncludeTax, rates }: InputOf<typeof setTaxRates>,
): Promise<Touched | null> {
  const [changed] = await tx<Omit<Touched, 'isNew'>[]>`
    update catalog.stores set prices_include_tax = ${pricesIncludeTax}, taxes = ${tx.json(rates)}
    where id = ${storeId} and (prices_include_tax <> ${pricesIncludeTax} or taxes <> ${tx.json(rates)})
    returning kind, accepting`
  return changed ? { ...changed, isNew: true } : await untouched(tx, storeId)
}

async function untouched(tx: Tx, id: string): Promise<Touched | null> {
  const [same] = await tx<
    Omit<Touched, 'isNew'>[]
  >`select kind, accepting from catalog.stores where id = ${id}`
  return same ? { ...same, isNew: false } : null
}
