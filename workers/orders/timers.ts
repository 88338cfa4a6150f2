import type { OrderState } from '../../queues/order-states.ts'
import type { Tx } from '../../queues/outcome.ts'
import { freeHeld } from './discounts.ts'
import { sourcesOf } from './domain.ts'
import { type Note, writeHistory } from './history.ts'
import { type OrderRow, orderColumns } from './store.ts'

/**
 * Cancels up to `limit` orders that no kitchen accepted in time and puts their pieces back in stock. Orders that somebody
 * else is working on are left for the next time.
 */
export const cancelUnaccepted = async (
  tx: Tx,
  { limit, note }: { readonly limit: number; readonly note: Note },
): Promise<readonly OrderRow[]> => tx<OrderRow[]>`
  with step as materialized (
    select id, ${note.cause} as cause, ${note.actorId} as actor_id, ${note.traceparent} as traceparent,
           ${note.at}::timestamptz as at
    from orders.orders
    where state = 'paid' and accept_by <= ${note.at}
    order by accept_by limit ${limit} for update skip locked
  ), moved as (
    update orders.orders o
    set previous_state = o.state, state = 'cancelled', version = o.version + 1
    from step where o.id = step.id
    returning o.*
  ), noted as (${writeHistory(tx, 'moved')}),
  freed as (select ${freeHeld(tx, tx`array_agg(id)`)} as reservations from moved having count(*) > 0)
  select ${orderColumns(tx)} from moved cross join freed`

export interface Span {
  readonly after: Date
  readonly until: Date
}

/** How far apart the moments are at least that are foreseen one by one, in milliseconds. */
const apartMs = 100

/** The moments in that span at which unpaid orders expire: one for those that expire within a tenth of a second. */
export const expiriesIn = (tx: Tx, span: Span) =>
  momentsOf(tx, tx`expires_at`, tx`state = any(${sourcesOf('expired') as OrderState[]})`, span)

/** The moments in that span at which kitchens are too late. */
export const acceptDeadlinesIn = (tx: Tx, span: Span) =>
  momentsOf(tx, tx`accept_by`, tx`state = 'paid' and accept_by is not null`, span)

type Fragment = ReturnType<Tx>

async function momentsOf(
  tx: Tx,
  at: Fragment,
  which: Fragment,
  { after, until }: Span,
): Promise<readonly Date[]> {
  const rows = await tx<{ moment: Date }[]>`
    select max(${at}) as moment from orders.orders where ${which} and ${at} > ${after} and ${at} <= ${until}
    group by ceil(extract(epoch from ${at}) * ${1_000 / apartMs}) order by 1`
  return rows.map(row => row.moment)
}
