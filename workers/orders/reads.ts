import type { Sql } from '../../db/client.ts'
import type { Order, OrderSummary } from '../../queues/orders.ts'

/** The customer's orders, newest first, those older than the order `cursor`. */
export async function listOrders(
  sql: Sql,
  {
    customerId,
    cursor,
    limit,
  }: { readonly customerId: string; readonly cursor: string | null; readonly limit: number },
): Promise<readonly OrderSummary[]> {
  const rows = await sql<SummaryRow[]>`
    select ${columns(sql)} from orders.orders
    where customer_id = ${customerId} ${cursor === null ? sql`` : sql`and id < ${cursor}`}
    order by id desc limit ${limit}`
  return rows.map(toSummary)
}

/** The order with its lines and history, or null if this customer has no such order. */
export async function readOrder(sql: Sql, customerId: string, id: string): Promise<Order | null> {
  const [row] = await sql<(SummaryRow & Parts)[]>`
    select ${columns(sql)},
      (select jsonb_agg(jsonb_build_object('sku', sku, 'title', title, 'quantity', quantity,
                'unitPriceMinor', unit_price_minor, 'totalMinor', total_minor) order by sku)
       from orders.lines where order_id = id) as lines,
      (select jsonb_agg(jsonb_build_object('from', from_state, 'to', to_state, 'cause', cause, 'at', at) order by seq)
       from orders.history where order_id = id) as history
    from orders.orders where id = ${id} and customer_id = ${customerId}`
  if (!row) return null
  const { lines, history, ...summary } = row
  const steps = history.map(step => ({ ...step, at: new Date(step.at).toISOString() }))
  return { ...toSummary(summary), lines, history: steps }
}

type SummaryRow = Omit<OrderSummary, 'placedAt' | 'expiresAt'> & {
  readonly placedAt: Date
  readonly expiresAt: Date
}
type Parts = Pick<Order, 'lines' | 'history'>

const columns = (sql: Sql) => sql`
  id, state, payment_status as "paymentStatus", total_minor as "totalMinor", currency,
  placed_at as "placedAt", expires_at as "expiresAt"`

const toSummary = (row: SummaryRow): OrderSummary => ({
  ...row,
  placedAt: row.placedAt.toISOString(),
  expiresAt: row.expiresAt.toISOString(),
})
