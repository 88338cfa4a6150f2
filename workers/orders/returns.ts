import type { Tx } from '../../queues/outcome.ts'
import type { ReturnedLine } from './fulfilling.ts'
import type { Piece } from './fulfilment.ts'

export async function returnExists(tx: Tx, id: string): Promise<boolean> {
  return (await tx`select from orders.returns where id = ${id}`).count > 0
}

/** Counts the pieces as coming back. False: one line has not that many that were delivered and are not. */
export async function claimPieces(tx: Tx, orderId: string, pieces: readonly Piece[]): Promise<boolean> {
  const claimed = await tx`
    update orders.lines l set returned = l.returned + piece.quantity
    from jsonb_to_recordset(${tx.json(pieces)}) as piece(sku text, quantity bigint)
    where l.order_id = ${orderId} and l.sku = piece.sku and l.returned + piece.quantity <= l.shipped`
  return claimed.count === pieces.length
}

/** Pieces of each line that can come back. */
export const returnable = (tx: Tx, orderId: string): Promise<readonly Piece[]> =>
  tx<
    Piece[]
  >`select sku, shipped - returned as quantity from orders.lines where order_id = ${orderId} order by sku`

export async function insertReturn(
  tx: Tx,
  asked: {
    readonly id: string
    readonly orderId: string
    readonly lines: readonly Piece[]
    readonly reason: string
    readonly at: Date
  },
): Promise<void> {
  const { id, orderId, lines, reason, at } = asked
  await tx`
    with asked as (
      insert into orders.returns (id, order_id, reason, requested_at) values (${id}, ${orderId}, ${reason}, ${at}) returning id
    )
    insert into orders.return_lines (return_id, sku, quantity)
    select asked.id, piece.sku, piece.quantity
    from asked, jsonb_to_recordset(${tx.json(lines)}) as piece(sku text, quantity bigint)`
}

export interface OpenReturn {
  readonly id: string
  readonly lines: readonly ReturnedLine[]
  /** Whether all pieces of the order are back with it. */
  readonly isLast: boolean
  /** What went back, or is on its way, for earlier returns. */
  readonly promisedMinor: number
}

/** Holds an order whose return is to be decided, until the transaction ends. Null: it has none. */
export async function holdReturn(tx: Tx, orderId: string): Promise<OpenReturn | null> {
  const held = await tx`
    select from orders.orders where id = ${orderId} and state = 'return_requested' for update`
  if (held.count === 0) return null
  const [open] = await tx<OpenReturn[]>`
    select t.id,
      (select jsonb_agg(jsonb_build_object('sku', rl.sku, 'quantity', rl.quantity, 'ordered', l.quantity,
          'before', l.returned - rl.quantity,
          'paidMinor', l.total_minor - l.discount_minor + case when o.prices_include_tax then 0 else l.tax_minor end)
          order by rl.sku)
       from orders.return_lines rl join orders.lines l on l.order_id = t.order_id and l.sku = rl.sku
       where rl.return_id = t.id) as lines,
      not exists (select from orders.lines l where l.order_id = t.order_id and l.returned < l.quantity) as "isLast",
      (select coalesce(sum(refund_minor), 0)::bigint from orders.returns where order_id = t.order_id) as "promisedMinor"
    from orders.returns t join orders.orders o on o.id = t.order_id
    where t.order_id = ${orderId} and t.state = 'requested'`
  if (!open) throw new Error(`order ${orderId} awaits a return that is not there`)
  return open
}

/** The pieces are back: those that can be sold again are on the shelf. The order is held. */
export async function receiveReturn(
  tx: Tx,
  received: {
    readonly id: string
    readonly orderId: string
    readonly refundMinor: number
    readonly restocked: readonly Piece[]
    readonly at: Date
  },
): Promise<void> {
  const { id, orderId, refundMinor, restocked, at } = received
  await tx`
    with decided as (
      update orders.returns set state = 'received', refund_minor = ${refundMinor}, decided_at = ${at} where id = ${id}
    )
    update orders.return_lines set restocked = sku = any(${restocked.map(each => each.sku)}::text[])
    where return_id = ${id}`
  if (restocked.length === 0) return
  const [row] = await tx<
    { lines: number }[]
  >`select catalog.restock(${orderId}, ${tx.json(restocked)}) as lines`
  if (row?.lines !== restocked.length) throw new Error(`return ${id} has more pieces than were sent`)
}

/** The pieces stay where they are. The order is held. */
export async function declineReturn(
  tx: Tx,
  { id, orderId, at }: { readonly id: string; readonly orderId: string; readonly at: Date },
): Promise<void> {
  await tx`
    with declined as (
      update orders.returns set state = 'declined', decided_at = ${at} where id = ${id}
    )
    update orders.lines l set returned = l.returned - rl.quantity
    from orders.return_lines rl where rl.return_id = ${id} and l.order_id = ${orderId} and l.sku = rl.sku`
}
