import type { Sql } from '../../db/client.ts'
import type { Store, StoreFilter } from '../../queues/stores.ts'

export interface StoreSearch extends StoreFilter {
  /** Only stores older than this one. */
  readonly cursor: string | null
  readonly limit: number
}

/** Newest first. */
export async function listStores(
  sql: Sql,
  { cursor, limit, q, kind }: StoreSearch,
): Promise<readonly Store[]> {
  // What is searched for is collected before the page is cut, as with products.
  const found =
    q === undefined
      ? sql``
      : sql`with found as materialized (
          select * from catalog.stores where search @@ (select catalog.search_query(${q}))
        )`
  const rows = await sql<StoreRow[]>`
    ${found} select ${columns(sql)} from ${q === undefined ? sql`catalog.stores` : sql`found`} s
    where true ${cursor === null ? sql`` : sql`and s.id < ${cursor}`} ${kind === undefined ? sql`` : sql`and s.kind = ${kind}`}
    order by s.id desc limit ${limit}`
  return rows.map(toStore)
}

export async function readStore(sql: Sql, id: string): Promise<Store | null> {
  const [row] = await sql<StoreRow[]>`select ${columns(sql)} from catalog.stores s where s.id = ${id}`
  return row ? toStore(row) : null
}

interface StoreRow extends Omit<Store, 'createdAt' | 'isOpen' | 'opensAt'> {
  readonly createdAt: Date
  readonly now: { readonly open: boolean; readonly opensAt: string | null }
}

const columns = (sql: Sql) => sql`
  s.id, s.kind, s.name, s.address, s.time_zone as "timeZone", s.opening_hours as "openingHours", s.accepting,
  s.accept_within_ms as "acceptWithinMs", s.prices_include_tax as "pricesIncludeTax", s.taxes, s.created_at as "createdAt",
  case when s.by_the_clock then catalog.opening(s.opening_hours, s.time_zone) else s.terms end as now`

const toStore = ({ now, createdAt, ...store }: StoreRow): Store => ({
  ...store,
  isOpen: now.open,
  opensAt: now.opensAt,
  createdAt: createdAt.toISOString(),
})
