import type { PayloadOf } from '../../queues/command.ts'
import type { shipmentRequested } from '../../queues/fulfilment.ts'
import type { OrderShipment } from '../../queues/order-fulfilment.ts'
import type { Tx } from '../../queues/outcome.ts'

/** Pieces of one SKU; a type and not an interface, so that it passes as JSON. */
export type Piece = { readonly sku: string; readonly quantity: number }

export type ShipmentState = (typeof OrderShipment)['static']['state']
export interface ShipmentRow {
  readonly id: string
  readonly kind: 'parcel' | 'kitchen'
  readonly state: ShipmentState
  readonly lines: readonly Piece[]
}

export async function loadShipment(tx: Tx, id: string): Promise<ShipmentRow | null> {
  const [row] = await tx<ShipmentRow[]>`${selectShipments(tx)} where s.id = ${id} group by s.id`
  return row ?? null
}

const selectShipments = (tx: Tx) => tx`
  select s.id, s.kind, s.state,
    jsonb_agg(jsonb_build_object('sku', l.sku, 'quantity', l.quantity) order by l.sku) as lines
  from orders.shipments s join orders.shipment_lines l on l.shipment_id = s.id`

/** Holds an order that is being fulfilled, until the transaction ends. False: it is not, or a kitchen does it. */
export async function holdShipping(tx: Tx, orderId: string): Promise<boolean> {
  const held = await tx`
    select from orders.orders where id = ${orderId} and state = 'fulfilling' and accept_within_ms is null for update`
  return held.count > 0
}

/** Pieces of each line that are in no shipment yet. The order is held. */
export const leftToShip = (tx: Tx, orderId: string): Promise<readonly Piece[]> =>
  tx<Piece[]>`
    select sku, quantity - shipped as quantity from orders.lines
    where order_id = ${orderId} and shipped < quantity order by sku`

/** Takes the pieces from what is left of the lines. False: one of them has not that many left, and all is to be undone. */
export async function takeFromLines(tx: Tx, orderId: string, pieces: readonly Piece[]): Promise<boolean> {
  const taken = await tx`
    update orders.lines l set shipped = l.shipped + piece.quantity
    from jsonb_to_recordset(${tx.json(pieces)}) as piece(sku text, quantity bigint)
    where l.order_id = ${orderId} and l.sku = piece.sku and l.shipped + piece.quantity <= l.quantity`
  return taken.count === pieces.length
}

export async function insertShipment(
  tx: Tx,
  shipment: {
    readonly id: string
    readonly orderId: string
    readonly kind: ShipmentRow['kind']
    readonly lines: readonly Piece[]
    readonly at: Date
  },
): Promise<void> {
  const { id, orderId, kind, lines, at } = shipment
  await tx`
    with shipment as (
      insert into orders.shipments (id, order_id, kind, state, created_at)
      values (${id}, ${orderId}, ${kind}, 'awaiting_money', ${at}) returning id
    )
    insert into orders.shipment_lines (shipment_id, sku, quantity)
    select shipment.id, piece.sku, piece.quantity
    from shipment, jsonb_to_recordset(${tx.json(lines)}) as piece(sku text, quantity bigint)`
}

/** Hands over whatever of the order waits for money: its pieces leave the shelf. The order is held. */
export async function handOver(tx: Tx, orderId: string): Promise<readonly ShipmentRow[]> {
  const shipments = await tx<ShipmentRow[]>`
    with ready as (
      update orders.shipments set state = 'handed_over' where order_id = ${orderId} and state = 'awaiting_money'
      returning id, kind, state
    )
    select ready.id, ready.kind, ready.state,
      jsonb_agg(jsonb_build_object('sku', l.sku, 'quantity', l.quantity) order by l.sku) as lines
    from ready join orders.shipment_lines l on l.shipment_id = ready.id
    group by ready.id, ready.kind, ready.state order by ready.id`
  if (shipments.length === 0) return shipments
  await tx`update orders.orders set handed_over = true where id = ${orderId}`
  for (const { id, lines } of shipments) {
    const [row] = await tx<{ lines: number }[]>`select catalog.fulfil(${orderId}, ${tx.json(lines)}) as lines`
    if (row?.lines !== lines.length) throw new Error(`shipment ${id} has not the pieces of its lines`)
  }
  return shipments
}

/** Whether some of its pieces wait for the order's money. */
export async function isAwaitingMoney(tx: Tx, orderId: string): Promise<boolean> {
  const awaiting = await tx`
    select from orders.shipments where order_id = ${orderId} and state = 'awaiting_money' limit 1`
  return awaiting.count > 0
}

/** Ends a shipment that is on its way. False: it had ended before, or is not of this order. */
export async function endShipment(
  tx: Tx,
  {
    id,
    orderId,
    state,
  }: { readonly id: string; readonly orderId: string; readonly state: 'delivered' | 'returned' },
): Promise<boolean> {
  await tx`select from orders.orders where id = ${orderId} for update`
  const ended = await tx`
    update orders.shipments set state = ${state} where id = ${id} and order_id = ${orderId} and state = 'handed_over'`
  return ended.count > 0
}

/** Calls off what waits for money, of an order that was cancelled: its lines are free of it. */
export async function cancelShipments(tx: Tx, orderId: string): Promise<void> {
  await tx`
    with off as (
      update orders.shipments set state = 'cancelled' where order_id = ${orderId} and state = 'awaiting_money' returning id
    ), pieces as (
      select l.sku, sum(l.quantity)::bigint as quantity from off join orders.shipment_lines l on l.shipment_id = off.id
      group by l.sku
    )
    update orders.lines l set shipped = l.shipped - pieces.quantity
    from pieces where l.order_id = ${orderId} and l.sku = pieces.sku`
}

/** Where the pieces go, and by which rate, as the order says. */
export type Destination = Pick<
  PayloadOf<typeof shipmentRequested>,
  'storeId' | 'customerId' | 'destination' | 'rate'
>

export async function readDestination(tx: Tx, orderId: string): Promise<Destination> {
  const [row] = await tx<Destination[]>`
    select store_id as "storeId", customer_id as "customerId", shipping -> 'destination' as destination,
      case when shipping is not null then jsonb_build_object(
        'rateId', shipping -> 'rateId', 'carrier', shipping -> 'carrier', 'service', shipping -> 'service') end as rate
    from orders.orders where id = ${orderId}`
  if (!row) throw new Error(`there is no order ${orderId}`)
  return row
}
