import type { Sql } from '../../db/client.ts'
import type { Ticket, TicketState } from '../../queues/kitchen.ts'
import type { Shipment } from '../../queues/shipments.ts'
import type { Reader } from '../runtime/reader.ts'

/** The shipments of an order that this reader may see, the oldest first; labels are for who sees all. */
export const listShipments = async (sql: Sql, orderId: string, reader: Reader): Promise<Shipment[]> =>
  (
    await sql<Row[]>`select ${columns(sql, reader)} from shipping.shipments s
      where s.order_id = ${orderId} ${theirs(sql, reader)} order by s.id limit 100`
  ).map(toShipment)

/** The shipment, or null if there is none for this reader. */
export async function readShipment(sql: Sql, id: string, reader: Reader): Promise<Shipment | null> {
  const [row] = await sql<Row[]>`
    select ${columns(sql, reader)} from shipping.shipments s where s.id = ${id} ${theirs(sql, reader)}`
  return row ? toShipment(row) : null
}

type Row = Omit<Shipment, 'boughtAt' | 'createdAt'> & {
  readonly boughtAt: Date | null
  readonly createdAt: Date
}

const theirs = (sql: Sql, { actorId, seesAll }: Reader) =>
  seesAll ? sql`` : sql`and s.customer_id = ${actorId}`

const columns = (sql: Sql, { seesAll }: Reader) => sql`
  s.id, s.order_id as "orderId", s.store_id as "storeId", s.carrier, s.service, s.status, s.lines, s.destination,
  s.tracking_number as "trackingNumber", s.tracking_url as "trackingUrl", s.label_refusal as "labelRefusal",
  s.bought_at as "boughtAt", s.created_at as "createdAt",
  case when ${seesAll} and s.label_data is not null
    then jsonb_build_object('format', s.label_format, 'data', s.label_data) end as label,
  (select coalesce(jsonb_agg(jsonb_build_object('status', t.status, 'occurredAt', t.occurred_at, 'source', t.source,
            'note', t.note) order by t.occurred_at, t.rank, t.source, t.event_id), '[]')
   from shipping.tracking t where t.shipment_id = s.id) as events`

const toShipment = (row: Row): Shipment => ({
  ...row,
  boughtAt: row.boughtAt?.toISOString() ?? null,
  createdAt: row.createdAt.toISOString(),
  events: row.events.map(each => ({ ...each, occurredAt: new Date(each.occurredAt).toISOString() })),
})

/** Tickets of a store, those that were accepted first come first; after the ticket `cursor`. */
export async function listTickets(
  sql: Sql,
  filter: {
    readonly storeId: string
    readonly state: TicketState | null
    readonly cursor: string | null
    readonly limit: number
  },
): Promise<readonly Ticket[]> {
  const { storeId, state, cursor, limit } = filter
  const rows = await sql<(Omit<Ticket, 'acceptedAt'> & { readonly acceptedAt: Date })[]>`
    select id, order_id as "orderId", store_id as "storeId", state, lines, destination, accepted_at as "acceptedAt",
      (select coalesce(jsonb_agg(jsonb_build_object('to', m.to_state, 'at', m.at) order by m.at), '[]')
       from shipping.ticket_moves m where m.ticket_id = id) as moves
    from shipping.tickets
    where store_id = ${storeId} ${state === null ? sql`` : sql`and state = ${state}`}
      ${cursor === null ? sql`` : sql`and id > ${cursor}`}
    order by id limit ${limit}`
  return rows.map(row => ({
    ...row,
    acceptedAt: row.acceptedAt.toISOString(),
    moves: row.moves.map(each => ({ ...each, at: new Date(each.at).toISOString() })),
  }))
}
