import type { Sql } from '../../db/client.ts'
import type { Address, ShipmentStatus } from '../../queues/fulfilment.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { LabelAnswer, Scan } from './carrier.ts'
import { type Moved, rankOf } from './domain.ts'

export interface NewShipment {
  readonly id: string
  readonly orderId: string
  readonly storeId: string
  readonly customerId: string
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
  readonly destination: Address | null
  readonly rateId: string | null
  readonly carrier: string
  readonly service: string
  readonly weightG: number
  readonly originCountry: string | null
  readonly createdAt: Date
}

export interface ShipmentRow {
  readonly id: string
  readonly carrier: string
  readonly service: string
  readonly status: ShipmentStatus
  readonly destination: Address | null
  readonly weightG: number
  readonly originCountry: string | null
  readonly trackingNumber: string | null
  /** Calls for the label that the carrier did not answer. */
  readonly inquiries: number
}

/** Makes the row of a shipment: durable before its carrier hears of it. False if it is there, and may have been heard of. */
export async function openShipment(sql: Sql, shipment: NewShipment): Promise<boolean> {
  const { id, orderId, storeId, customerId, lines, destination, rateId, createdAt } = shipment
  const inserted = await sql`
    insert into shipping.shipments (id, order_id, store_id, customer_id, lines, destination, rate_id, carrier, service,
      weight_g, origin_country, heard_at, created_at)
    values (${id}, ${orderId}, ${storeId}, ${customerId}, ${sql.json([...lines])},
      ${destination === null ? null : sql.json(destination)}, ${rateId}, ${shipment.carrier}, ${shipment.service},
      ${shipment.weightG}, ${shipment.originCountry}, ${createdAt}, ${createdAt})
    on conflict do nothing`
  return inserted.count > 0
}

export async function findShipment(sql: Sql, id: string): Promise<ShipmentRow | null> {
  const [row] = await sql<ShipmentRow[]>`
    select id, carrier, service, status, destination, weight_g as "weightG", origin_country as "originCountry",
      tracking_number as "trackingNumber", inquiries
    from shipping.shipments where id = ${id}`
  return row ?? null
}

export async function countInquiry(tx: Tx, id: string): Promise<void> {
  await tx`update shipping.shipments set inquiries = inquiries + 1 where id = ${id} and status = 'pending'`
}

/** Keeps the label, or why there is none: then the parcel is sent by hand. False if it was kept before. */
export async function keepLabel(
  tx: Tx,
  { id, answer, at }: { readonly id: string; readonly answer: LabelAnswer; readonly at: Date },
): Promise<boolean> {
  const label = answer.kind === 'bought' ? answer.label : null
  const document = label?.document ?? null
  const [format, data] =
    document === null
      ? [null, null]
      : 'url' in document
        ? ['url', document.url]
        : [document.format, document.base64]
  const kept = await tx`
    update shipping.shipments
    set status = 'label_created', bought_at = ${at}, heard_at = ${at},
      carrier = case when ${label === null} then 'manual' else carrier end,
      label_refusal = ${answer.kind === 'refused' ? answer.because : null},
      tracking_number = ${label?.trackingNumber ?? null}, tracking_url = ${label?.trackingUrl ?? null},
      label_format = ${format}, label_data = ${data}
    where id = ${id} and status = 'pending'`
  return kept.count > 0
}

/** Something that was said of a parcel. */
export interface Told extends Scan {
  readonly source: string
}

/** How long a carrier may be silent before it is asked. */
const trackEvery = '6 hours'
/** On the way: worth asking, and silence means something. */
const underway = [
  'label_created',
  'in_transit',
  'out_for_delivery',
  'available_for_pickup',
  'attempt_failed',
  'exception',
  'unknown',
] as const satisfies ShipmentStatus[]

/** Keeps what is new of all this, and gives the parcel the status that all its events together say. Null: no such parcel. */
export async function tell(tx: Tx, id: string, told: readonly Told[]): Promise<Moved | null> {
  const [row] = await tx<(Omit<Moved, 'after'> & { readonly isPending: boolean })[]>`
    select id as "shipmentId", order_id as "orderId", customer_id as "customerId", lines, status as before,
      status = 'pending' as "isPending"
    from shipping.shipments where id = ${id} for update`
  if (!row) return null
  const { isPending, ...shipment } = row
  await tx`
    insert into shipping.tracking (shipment_id, source, event_id, status, rank, occurred_at, note)
    select ${id}::uuid, event.source, event.id, event.status, event.rank, event."occurredAt", event.note
    from jsonb_to_recordset(${tx.json(told.map(toEvent))})
      as event(source text, id text, status text, rank smallint, "occurredAt" timestamptz, note text)
    on conflict do nothing`
  if (isPending) return { ...shipment, after: shipment.before }
  const [now] = await tx<{ status: ShipmentStatus }[]>`
    update shipping.shipments s
    set status = last.status, heard_at = greatest(s.heard_at, last.occurred_at),
      track_at = case when s.tracking_number is not null and s.carrier <> 'manual' and last.status = any(${[...underway]})
                      then now() + ${trackEvery}::interval end
    from (
      select status, occurred_at from shipping.tracking where shipment_id = ${id}
      order by rank desc, occurred_at desc, status collate "C" desc limit 1
    ) last where s.id = ${id} returning s.status`
  return { ...shipment, after: now?.status ?? shipment.before }
}

const toEvent = ({ source, id, status, occurredAt, note }: Told) => ({
  source,
  id,
  status,
  note,
  rank: rankOf(status),
  occurredAt: occurredAt.toISOString(),
})

/**
 * Types in the number of a parcel that the merchant took away: one that is sent by hand, or whose label was given back.
 * False if its carrier has given it one.
 */
export async function setTrackingNumber(
  tx: Tx,
  id: string,
  {
    trackingNumber,
    trackingUrl,
  }: { readonly trackingNumber: string | null; readonly trackingUrl: string | null },
): Promise<boolean> {
  const set = await tx`
    update shipping.shipments set carrier = 'manual',
      tracking_number = coalesce(${trackingNumber}, case carrier when 'manual' then tracking_number end),
      tracking_url = coalesce(${trackingUrl}, case carrier when 'manual' then tracking_url end)
    where id = ${id} and (carrier = 'manual' or status = 'cancelled')`
  return set.count > 0
}

/** Some parcels that are due to be asked for; they are due again later. */
export async function takeOverdue(tx: Tx, most: number): Promise<readonly string[]> {
  const rows = await tx<{ id: string }[]>`
    update shipping.shipments set track_at = now() + ${trackEvery}::interval
    where id = any(array(select id from shipping.shipments where track_at <= now()
                         order by track_at limit ${most} for update skip locked))
    returning id`
  return rows.map(row => row.id)
}

/** Some parcels of which nothing was heard for thirty days. */
export async function findSilent(tx: Tx, most: number): Promise<readonly string[]> {
  const rows = await tx<{ id: string }[]>`
    select id from shipping.shipments
    where status = any(${[...underway]}) and heard_at < now() - interval '30 days'
    order by heard_at limit ${most} for update skip locked`
  return rows.map(row => row.id)
}

/**
 * Keeps a webhook and asks for a look at its parcel, as part of the story of what called for the parcel. False if it was
 * kept before, or its parcel is not known yet.
 */
export async function keepHint(
  sql: Sql,
  hint: {
    readonly carrier: string
    readonly eventId: string
    readonly trackingNumber: string
    readonly raw: Uint8Array
    readonly command: { readonly id: string; readonly type: string; readonly traceparent: string }
  },
): Promise<boolean> {
  const { carrier, eventId, trackingNumber, raw, command } = hint
  const asked = await sql`
    with kept as (
      insert into shipping.hints (carrier, event_id, tracking_number, raw)
      values (${carrier}, ${eventId}, ${trackingNumber}, ${Buffer.from(raw)}) on conflict do nothing returning 1
    )
    select journal.write_commands(jsonb_build_array(${sql.json(command)} || jsonb_build_object(
      'input', jsonb_build_object('shipmentId', s.id), 'actor_id', s.customer_id, 'correlation_id', s.id)))
    from shipping.shipments s, kept where s.carrier = ${carrier} and s.tracking_number = ${trackingNumber}`
  return asked.count > 0
}

/** True if a webhook was faster than the answer that brought the label. */
export async function hasHints(tx: Tx, id: string): Promise<boolean> {
  const rows = await tx`
    select from shipping.hints h join shipping.shipments s
      on s.carrier = h.carrier and s.tracking_number = h.tracking_number
    where s.id = ${id} limit 1`
  return rows.count > 0
}

/** Deletes some of the webhooks that came thirty days ago or earlier; answers how many. */
export async function forgetHints(tx: Tx, most: number): Promise<number> {
  const deleted = await tx`
    delete from shipping.hints where (carrier, event_id) in (
      select carrier, event_id from shipping.hints where received_at < now() - interval '30 days'
      order by received_at limit ${most} for update skip locked)`
  return deleted.count
}
