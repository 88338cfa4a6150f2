import type { Static } from '@sinclair/typebox'
import type { Sql } from '../../db/client.ts'
import type { OrderSaga } from '../../queues/cases.ts'
import type { Discount } from '../../queues/discounts.ts'
import type { ToDo } from '../../queues/order-states.ts'
import type { Order, OrderSummary, Quote } from '../../queues/order-views.ts'
import type { Reader } from '../runtime/reader.ts'
import { listCases } from './cases.ts'
import { linesJson, sumColumns } from './columns.ts'
import { progressOf, type SagaOrder } from './saga.ts'

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

/** The orders of a store in this state, the oldest first; after the order `cursor`. */
export async function listToDo(
  sql: Sql,
  filter: {
    readonly storeId: string
    readonly state: Static<typeof ToDo>
    readonly cursor: string | null
    readonly limit: number
  },
): Promise<readonly OrderSummary[]> {
  const { storeId, state, cursor, limit } = filter
  // The state is not a parameter: the plan finds the partial index by it.
  const rows = await sql<SummaryRow[]>`
    select ${columns(sql)} from orders.orders
    where store_id = ${storeId} and ${inState(sql, state)} ${cursor === null ? sql`` : sql`and id > ${cursor}`}
    order by id limit ${limit}`
  return rows.map(toSummary)
}

function inState(sql: Sql, state: Static<typeof ToDo>) {
  switch (state) {
    case 'paid':
      return sql`state = 'paid'`
    case 'fulfilling':
      return sql`state = 'fulfilling'`
    case 'return_requested':
      return sql`state = 'return_requested'`
  }
}

/** The order with its lines and history, or null if there is none for this reader. */
export async function readOrder(sql: Sql, id: string, { actorId, seesAll }: Reader): Promise<Order | null> {
  const [row] = await sql<(SummaryRow & Parts)[]>`
    select ${columns(sql)}, taxes, shipping,
      (select ${linesJson(sql)} from orders.lines where order_id = id) as lines,
      (select jsonb_agg(jsonb_build_object('from', from_state, 'to', to_state, 'cause', cause, 'at', at) order by seq)
       from orders.history where order_id = id) as history,
      (select coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'kind', s.kind, 'state', s.state, 'createdAt', s.created_at,
                'lines', (select jsonb_agg(jsonb_build_object('sku', l.sku, 'quantity', l.quantity) order by l.sku)
                          from orders.shipment_lines l where l.shipment_id = s.id)) order by s.id), '[]')
       from orders.shipments s where s.order_id = orders.id) as shipments,
      (select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'state', r.state, 'reason', r.reason,
                'refundMinor', r.refund_minor, 'requestedAt', r.requested_at, 'decidedAt', r.decided_at,
                'lines', (select jsonb_agg(jsonb_build_object('sku', l.sku, 'quantity', l.quantity) order by l.sku)
                          from orders.return_lines l where l.return_id = r.id)) order by r.id), '[]')
       from orders.returns r where r.order_id = orders.id) as returns
    from orders.orders where id = ${id} ${seesAll ? sql`` : sql`and customer_id = ${actorId}`}`
  if (!row) return null
  const { lines, taxes, shipping, history, shipments, returns, ...summary } = row
  return {
    ...toSummary(summary),
    lines,
    taxes,
    shipping,
    history: history.map(step => ({ ...step, at: instant(step.at) })),
    shipments: shipments.map(each => ({ ...each, createdAt: instant(each.createdAt) })),
    returns: returns.map(each => ({
      ...each,
      requestedAt: instant(each.requestedAt),
      decidedAt: each.decidedAt && instant(each.decidedAt),
    })),
  }
}

/** Where the saga of an order stands, whosever it is, with its cases; null if there is no such order. */
export async function readSaga(sql: Sql, id: string): Promise<OrderSaga | null> {
  const [row] = await sql<SagaOrder[]>`
    select state, total_minor as "totalMinor", payment_id as "paymentId", authorized_minor as "authorizedMinor",
      captured_minor as "capturedMinor", refunded_minor as "refundedMinor", charging
    from orders.orders where id = ${id}`
  if (!row) return null
  const all = { state: null, kind: null, orderId: id, cursor: null, limit: casesMax }
  return { orderId: id, ...progressOf(row), cases: [...(await listCases(sql, all))] }
}

/** Cases that are shown with a saga: more than one order ever had. */
const casesMax = 100

/** An instant as JSON of Postgres has it, as RFC 3339 in UTC. */
const instant = (at: string): string => new Date(at).toISOString()

/** The quote with its lines as it stands now, or null if this customer has no such quote. */
export async function readQuote(sql: Sql, customerId: string, id: string): Promise<Quote | null> {
  const [row] = await sql<QuoteRow[]>`
    select id, ${sumColumns(sql)}, taxes, shipping, price_version as "priceVersion", quoted_at as "quotedAt",
      expires_at as "expiresAt", order_id as "orderId",
      case when order_id is not null then 'used' when expires_at <= now() then 'expired'
        when line.stale then 'stale' else 'open' end as state, line.lines
    from orders.quotes cross join lateral (
      select bool_or(stale) as stale, ${linesJson(sql)} as lines from orders.quote_lines where quote_id = id
    ) line
    where id = ${id} and customer_id = ${customerId}`
  if (!row) return null
  return { ...row, quotedAt: row.quotedAt.toISOString(), expiresAt: row.expiresAt.toISOString() }
}

/** Newest first, those older than the discount `cursor`. */
export async function listDiscounts(
  sql: Sql,
  { cursor, limit }: { readonly cursor: string | null; readonly limit: number },
): Promise<readonly Discount[]> {
  const rows = await sql<DiscountRow[]>`
    select ${discountColumns(sql)} from orders.discounts ${cursor === null ? sql`` : sql`where id < ${cursor}`}
    order by id desc limit ${limit}`
  return rows.map(toDiscount)
}

export async function readDiscount(sql: Sql, code: string): Promise<Discount | null> {
  const [row] = await sql<DiscountRow[]>`
    select ${discountColumns(sql)} from orders.discounts where code = ${code}`
  return row ? toDiscount(row) : null
}

type DiscountRow = Omit<Discount, 'startsAt' | 'endsAt' | 'createdAt'> & {
  readonly startsAt: Date
  readonly endsAt: Date | null
  readonly createdAt: Date
}
const discountColumns = (sql: Sql) => sql`
  id, code, store_id as "storeId", rate_ppm as "ratePpm", amount_minor as "amountMinor", currency,
  min_goods_minor as "minGoodsMinor", starts_at as "startsAt", ends_at as "endsAt", uses_max as "usesMax",
  uses_per_customer_max as "usesPerCustomerMax", uses, created_at as "createdAt"`
const toDiscount = (row: DiscountRow): Discount => ({
  ...row,
  startsAt: row.startsAt.toISOString(),
  endsAt: row.endsAt?.toISOString() ?? null,
  createdAt: row.createdAt.toISOString(),
})

type QuoteRow = Omit<Quote, 'quotedAt' | 'expiresAt'> & { readonly quotedAt: Date; readonly expiresAt: Date }
type SummaryRow = Omit<OrderSummary, 'placedAt' | 'expiresAt' | 'acceptBy'> & {
  readonly placedAt: Date
  readonly expiresAt: Date
  readonly acceptBy: Date | null
}
type Parts = Pick<Order, 'lines' | 'taxes' | 'shipping' | 'shipments' | 'returns' | 'history'>

const columns = (sql: Sql) => sql`
  id, state, payment_status as "paymentStatus", ${sumColumns(sql)},
  placed_at as "placedAt", expires_at as "expiresAt", accept_by as "acceptBy",
  case when action is not null and state = 'pending_payment'
    then jsonb_build_object('type', 'redirect', 'url', action ->> 'url') end as "nextAction"`

const toSummary = (row: SummaryRow): OrderSummary => ({
  ...row,
  placedAt: row.placedAt.toISOString(),
  expiresAt: row.expiresAt.toISOString(),
  acceptBy: row.acceptBy?.toISOString() ?? null,
})
