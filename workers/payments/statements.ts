import type { Sql } from '../../db/client.ts'
import type { StoreStatement } from '../../queues/ledger.ts'
import type { Tx } from '../../queues/outcome.ts'

type Line = 'taken' | 'refunded' | 'disputed' | 'commission' | 'paid_out'

/** What a store sold in one currency, and what is owed to it now. */
export async function readStatement(sql: Sql, storeId: string, currency: string): Promise<StoreStatement> {
  const rows = await sql<{ line: Line; minor: number }[]>`
    select line, minor from payments.store_statements where store_id = ${storeId} and currency = ${currency}`
  const minorOf = (line: Line) => rows.find(each => each.line === line)?.minor ?? 0
  const [takenMinor, refundedMinor, disputedMinor, paidOutMinor] = [
    minorOf('taken'),
    minorOf('refunded'),
    minorOf('disputed'),
    minorOf('paid_out'),
  ]
  return {
    storeId,
    currency,
    takenMinor,
    refundedMinor,
    disputedMinor,
    commissionMinor: minorOf('commission'),
    paidOutMinor,
    owedMinor: takenMinor - refundedMinor - disputedMinor - paidOutMinor,
  }
}

export interface NewPayout {
  readonly id: string
  readonly storeId: string
  readonly amountMinor: number
  readonly currency: string
  readonly reference: string
  readonly paidAt: Date
}

/** Notes and posts a payout. Answers what is owed instead, if that is less: then nothing was written. */
export async function payOut(tx: Tx, payout: NewPayout): Promise<{ readonly owedMinor: number } | null> {
  const { id, storeId, amountMinor, currency, reference, paidAt } = payout
  await tx`insert into payments.stores values (${storeId}) on conflict do nothing`
  await tx`select from payments.stores where store_id = ${storeId} for update` // what is owed is counted after the lock
  const known = await tx`select from payments.payouts where id = ${id}`
  if (known.count > 0) return null
  const [row] = await tx<{ owedMinor: number; isPaid: boolean }[]>`
    with owed as materialized (
      select coalesce(sum(credits_minor - debits_minor), 0)::bigint as minor from payments.account_balances
      where account = ${`store:${storeId}`} and currency = ${currency}
    ), paid as (
      insert into payments.payouts (id, store_id, amount_minor, currency, reference, paid_at)
      select ${id}::uuid, ${storeId}::uuid, ${amountMinor}::bigint, ${currency}::text, ${reference}::text, ${paidAt}::timestamptz
      from owed where ${amountMinor}::bigint <= owed.minor returning id, amount_minor
    ), posted as (
      insert into payments.transfers (kind, source_id, debit, credit, amount_minor, currency)
      select 'payout', id, ${`store:${storeId}`}::text, 'bank', amount_minor, ${currency}::text from paid
    )
    select minor as "owedMinor", exists (select from paid) as "isPaid" from owed`
  return row?.isPaid ? null : { owedMinor: row?.owedMinor ?? 0 }
}
