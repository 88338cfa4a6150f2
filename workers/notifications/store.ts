import type { Sql } from '../../db/client.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { DeliveryStatus, Reservation } from './domain.ts'
import type { Workflow } from './mails.ts'

export const saveContact = (
  tx: Tx,
  contact: { readonly accountId: string; readonly email: string; readonly name: string; readonly now: Date },
) => tx`
  insert into notifications.contacts (account_id, email, name, saved_at)
  values (${contact.accountId}, ${contact.email}, ${contact.name}, ${contact.now})
  on conflict (account_id) do update
    set email = excluded.email, name = excluded.name, saved_at = excluded.saved_at`

export interface DeliveryRequest {
  readonly commandId: string
  readonly workflow: Workflow
  readonly recipientId: string
  readonly dedupeKey: string
  readonly now: Date
}

interface ReservationRow {
  readonly email: string | null
  readonly name: string | null
  readonly reservedId: string | null
  readonly earlierId: string | null
  readonly earlierStatus: DeliveryStatus | null
  readonly earlierCommandId: string | null
  readonly earlierBegunAt: Date | null
}

/**
 * Finds the contacts and begins the deliveries that nobody has begun, or that are known to have not gone out.
 * Answers in order. One statement for many commands, so that they share a commit.
 */
export async function reserve(
  sql: Sql,
  requests: readonly DeliveryRequest[],
): Promise<readonly Reservation[]> {
  const rows = await sql<ReservationRow[]>`
    with asked as materialized (
      select * from jsonb_to_recordset(${sql.json(requests.map((each, at) => ({ at, ...each, now: each.now.toISOString() })))})
        as a(at integer, "commandId" uuid, workflow text, "recipientId" uuid, "dedupeKey" text, now timestamptz)
    ), reserved as (
      insert into notifications.deliveries
        (id, workflow, recipient_id, dedupe_key, status, command_id, begun_at)
      select distinct on (a.workflow, a."recipientId", a."dedupeKey")
        a."commandId", a.workflow, a."recipientId", a."dedupeKey", 'sending', a."commandId", a.now
      from asked a join notifications.contacts c on c.account_id = a."recipientId"
      order by a.workflow, a."recipientId", a."dedupeKey"
      on conflict (workflow, recipient_id, dedupe_key) do update
        set status = 'sending', command_id = excluded.command_id, begun_at = excluded.begun_at, ended_at = null
        where deliveries.status = 'unsent'
      returning id, command_id
    )
    select c.email, c.name, r.id as "reservedId", d.id as "earlierId", d.status as "earlierStatus",
           d.command_id as "earlierCommandId", d.begun_at as "earlierBegunAt"
    from asked a
    left join notifications.contacts c on c.account_id = a."recipientId"
    left join reserved r on r.command_id = a."commandId"
    left join notifications.deliveries d
      on d.workflow = a.workflow and d.recipient_id = a."recipientId" and d.dedupe_key = a."dedupeKey"
    order by a.at`
  return rows.map(toReservation)
}

const toReservation = (row: ReservationRow): Reservation => ({
  contact: row.email !== null && row.name !== null ? { email: row.email, name: row.name } : null,
  reservedId: row.reservedId,
  earlier:
    row.earlierId && row.earlierStatus && row.earlierCommandId && row.earlierBegunAt
      ? {
          id: row.earlierId,
          status: row.earlierStatus,
          commandId: row.earlierCommandId,
          begunAt: row.earlierBegunAt,
        }
      : null,
})

export interface Ending {
  readonly deliveryId: string
  readonly status: Exclude<DeliveryStatus, 'sending'>
}

/** Notes how deliveries ended; answers what was noted. What was learned for certain is not overwritten by a guess. */
export async function end(sql: Sql, endings: readonly Ending[]): Promise<readonly Ending[]> {
  await sql`
    update notifications.deliveries d set status = e.status, ended_at = clock_timestamp()
    from jsonb_to_recordset(${sql.json(endings.map(each => ({ ...each })))}) as e("deliveryId" uuid, status text)
    where d.id = any(${endings.map(each => each.deliveryId)}::uuid[]) and d.id = e."deliveryId"
      and (d.status = 'sending' or (d.status = 'unknown' and e.status in ('sent', 'refused')))`
  return endings
}
