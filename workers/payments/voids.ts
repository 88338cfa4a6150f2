import type { Sql } from '../../db/client.ts'
import type { Tx } from '../../queues/outcome.ts'
import { lockState } from './state.ts'

export interface NewVoid {
  readonly id: string
  readonly paymentId: string
  readonly requestId: string
  readonly reason: string
  readonly createdAt: Date
}

export interface VoidRow {
  readonly id: string
  readonly paymentId: string
  readonly status: 'pending' | 'succeeded' | 'failed'
  readonly inquiries: number
  /** False if an earlier run, or an earlier command for the same void, may have called the provider. */
  readonly isNew: boolean
}

/** From now on nothing is captured, durably, before the provider hears of it. Null if something is, or is about to be. */
export async function reserveVoid(sql: Sql, request: NewVoid): Promise<VoidRow | null> {
  const { id, paymentId, requestId, reason, createdAt } = request
  const [row] = await sql<VoidRow[]>`
    with ending as (
      update payments.payments set ending = 'void'
      where id = ${paymentId} and status = 'authorized' and ending is null and capture_pending_minor = 0
        and not exists (select from payments.voids where payment_id = ${paymentId} and request_id = ${requestId})
      returning id
    )
    insert into payments.voids (id, payment_id, request_id, reason, created_at)
    select ${id}::uuid, ending.id, ${requestId}::uuid, ${reason}::text, ${createdAt}::timestamptz from ending
    returning ${voidColumns(sql)}, true as "isNew"`
  return row ?? null
}

export async function findVoid(sql: Sql, paymentId: string, requestId: string): Promise<VoidRow | null> {
  const [row] = await sql<VoidRow[]>`
    select ${voidColumns(sql)}, false as "isNew" from payments.voids where payment_id = ${paymentId} and request_id = ${requestId}`
  return row ?? null
}

const voidColumns = (sql: Sql) => sql`id, payment_id as "paymentId", status, inquiries`

export async function markVoidUnknown(tx: Tx, voidId: string): Promise<void> {
  await tx`update payments.voids set inquiries = inquiries + 1 where id = ${voidId} and status = 'pending'`
}

/** The provider will not: what is set aside can be captured again. */
export async function failVoid(tx: Tx, paymentId: string, voidId: string): Promise<void> {
  await lockState(tx, paymentId)
  await tx`
    with failed as (
      update payments.voids set status = 'failed' where id = ${voidId} and status = 'pending' returning payment_id
    )
    update payments.payments set ending = null from failed where id = failed.payment_id and ending = 'void'`
}
