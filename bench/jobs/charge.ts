import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { InputOf } from '../../queues/command.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { charge } from '../../queues/payments.ts'

export type Charge = InputOf<typeof charge>

/** What both systems work: one row per job. */
export const newCharge = (): Charge => ({
  orderId: uuidv7(),
  customerId: uuidv7(),
  attempt: 1,
  amountMinor: 4_200,
  currency: 'EUR',
  paymentMethod: 'pm_card_ok',
})

export async function createTable(sql: Sql): Promise<void> {
  await sql`create table payments.bench_charges (
    id uuid primary key, order_id uuid not null, amount_minor bigint not null, currency text not null,
    at timestamptz not null default now())`
  await sql`grant insert on payments.bench_charges to waybill_payments`
}

export const insertCharge = async (
  sql: Sql | Tx,
  id: string,
  { orderId, amountMinor, currency }: Charge,
): Promise<void> => {
  await sql`insert into payments.bench_charges (id, order_id, amount_minor, currency)
    values (${id}, ${orderId}, ${amountMinor}, ${currency})`
}

/** Throws unless there is exactly one row for each of `count` jobs. */
export async function checkRows(sql: Sql, count: number): Promise<void> {
  const [row] = await sql<{ rows: number }[]>`select count(*) as rows from payments.bench_charges`
  if (row?.rows !== count) throw new Error(`${row?.rows} rows for ${count} jobs`)
}
