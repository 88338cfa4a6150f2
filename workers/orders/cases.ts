import type { JSONValue } from 'postgres'
import type { Sql } from '../../db/client.ts'
import type { Case, CaseKind } from '../../queues/cases.ts'
import type { Tx } from '../../queues/outcome.ts'

export interface NewCase {
  readonly id: string
  readonly kind: CaseKind
  /** What it is about, by its id: there is one case of a kind for it. */
  readonly cause: string
  readonly orderId: string
  readonly paymentId?: string | null
  readonly detail?: Readonly<Record<string, JSONValue>>
  readonly at: Date
}

/** Opens these cases, each once. Answers how many are new. */
export async function openCases(tx: Tx, cases: readonly NewCase[]): Promise<number> {
  if (cases.length === 0) return 0
  const rows = cases.map(({ at, detail = {}, paymentId = null, ...rest }) => ({
    ...rest,
    paymentId,
    detail,
    at: at.toISOString(),
  }))
  const opened = await tx`
    insert into orders.cases (id, kind, cause, order_id, payment_id, detail, opened_at)
    select id, kind, cause, "orderId", "paymentId", detail, at
    from jsonb_to_recordset(${tx.json(rows as unknown as JSONValue)}) as new(
      id uuid, kind text, cause uuid, "orderId" uuid, "paymentId" uuid, detail jsonb, at timestamptz)
    order by id on conflict (kind, cause) do nothing`
  return opened.count
}

/** Closes an open case. False: it is not there, or not open. */
export async function closeCase(
  tx: Tx,
  {
    id,
    by,
    reason,
    at,
  }: { readonly id: string; readonly by: string; readonly reason: string; readonly at: Date },
): Promise<boolean> {
  const closed = await tx`
    update orders.cases set state = 'resolved', resolved_at = ${at}, resolved_by = ${by}, resolution = ${reason}
    where id = ${id} and state = 'open'`
  return closed.count > 0
}

export async function caseExists(tx: Tx, id: string): Promise<boolean> {
  return (await tx`select from orders.cases where id = ${id}`).count > 0
}

export interface CaseFilter {
  readonly state: Case['state'] | null
  readonly kind: CaseKind | null
  readonly orderId: string | null
  readonly cursor: string | null
  readonly limit: number
}

/** Cases, newest first, those older than the case `cursor`. */
export async function listCases(
  sql: Sql,
  { state, kind, orderId, cursor, limit }: CaseFilter,
): Promise<readonly Case[]> {
  const rows = await sql<CaseRow[]>`
    select ${columns(sql)} from orders.cases
    where true ${state === null ? sql`` : sql`and state = ${state}`} ${kind === null ? sql`` : sql`and kind = ${kind}`}
      ${orderId === null ? sql`` : sql`and order_id = ${orderId}`} ${cursor === null ? sql`` : sql`and id < ${cursor}`}
    order by id desc limit ${limit}`
  return rows.map(toCase)
}

export async function readCase(sql: Sql, id: string): Promise<Case | null> {
  const [row] = await sql<CaseRow[]>`select ${columns(sql)} from orders.cases where id = ${id}`
  return row ? toCase(row) : null
}

type CaseRow = Omit<Case, 'openedAt' | 'resolvedAt'> & {
  readonly openedAt: Date
  readonly resolvedAt: Date | null
}

const columns = (sql: Sql) => sql`
  id, kind, cause, order_id as "orderId", payment_id as "paymentId", detail, state, opened_at as "openedAt",
  resolved_at as "resolvedAt", resolved_by as "resolvedBy", resolution`

const toCase = ({ openedAt, resolvedAt, ...row }: CaseRow): Case => ({
  ...row,
  openedAt: openedAt.toISOString(),
  resolvedAt: resolvedAt?.toISOString() ?? null,
})
