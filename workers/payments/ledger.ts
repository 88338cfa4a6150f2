import type { Sql } from '../../db/client.ts'
import type { Reconciliation, Transfer } from '../../queues/ledger.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { AccountSums } from './posting.ts'

/**
 * Adds to the balances what was posted by transactions before the oldest that is open, in their order, `limit` transfers
 * and what else the last of them has posted. Numbers and times would not do: they are not given in the order of commits.
 * Answers how many transfers: more than `limit` if there may be others.
 */
export async function rollUp(tx: Tx, limit: number): Promise<number> {
  await lockRollUp(tx)
  const [row] = await tx<{ transfers: number }[]>`
    with safe as materialized (
      select horizon, stores_horizon, pg_snapshot_xmin(pg_current_snapshot()) as xid from payments.roll_up
    ), last as materialized (
      select t.xid from payments.transfers t
      where t.xid >= (select horizon from safe) order by t.xid offset ${limit} limit 1
    ), mark as materialized (
      select safe.horizon as old, safe.stores_horizon as stores_old, coalesce((
        select t.xid from payments.transfers t
        where t.xid > (select xid from last) and t.xid < safe.xid order by t.xid limit 1), safe.xid) as new
      from safe
    ), added as materialized (
      select debit, credit, currency, amount_minor from payments.transfers
      where xid >= (select old from mark) and xid < (select new from mark)
    ), sums as (
      insert into payments.balances as b (account, currency, debits_minor, credits_minor)
      select side.account, added.currency, sum(side.debit_minor), sum(side.credit_minor)
      from added cross join lateral (values (debit, amount_minor, 0::bigint), (credit, 0::bigint, amount_minor))
        as side(account, debit_minor, credit_minor)
      group by 1, 2
      on conflict (account, currency) do update
      set debits_minor = b.debits_minor + excluded.debits_minor, credits_minor = b.credits_minor + excluded.credits_minor
    ), stores as (
      insert into payments.store_sums as s (store_id, currency, line, minor)
      select store_id, currency, line, sum(minor) from payments.store_entries
      where xid >= (select stores_old from mark) and xid < (select new from mark) group by 1, 2, 3
      on conflict (store_id, currency, line) do update set minor = s.minor + excluded.minor
    ), moved as (
      update payments.roll_up set horizon = mark.new, stores_horizon = mark.new from mark
    )
    select count(*) as transfers from added`
  return row?.transfers ?? 0
}

/** One roll-up at a time, each in a snapshot that the one before has ended in. One of another server is not continued. */
async function lockRollUp(tx: Tx): Promise<void> {
  await tx`select from payments.roll_up for update`
  await tx`
    with anew as (
      update payments.roll_up set horizon = '0', stores_horizon = '0' where horizon > pg_snapshot_xmax(pg_current_snapshot()) returning horizon
    ), stores as (
      delete from payments.store_sums where exists (select from anew)
    )
    delete from payments.balances where exists (select from anew)`
}

/** What every account holds now, by currency and name. */
export const readBalances = (sql: Sql): Promise<readonly AccountSums[]> => sql<AccountSums[]>`
  select account, currency, debits_minor as "debitsMinor", credits_minor as "creditsMinor"
  from payments.account_balances order by currency, account`

/** The transfers of one account, newest first, those with a lower number than `cursor`. */
export async function listTransfers(
  sql: Sql,
  {
    account,
    cursor,
    limit,
  }: { readonly account: string; readonly cursor: string | null; readonly limit: number },
): Promise<readonly Transfer[]> {
  const older = cursor === null ? sql`` : sql`and seq < ${cursor}::text::bigint`
  const rows = await sql<TransferRow[]>`
    select seq::text as id, kind, source_id as "sourceId", part, payment_id as "paymentId", order_id as "orderId", debit,
           credit, amount_minor as "amountMinor", currency, posted_at as "postedAt"
    from (
      (select * from payments.transfers where debit = ${account} ${older} order by seq desc limit ${limit})
      union all
      (select * from payments.transfers where credit = ${account} ${older} order by seq desc limit ${limit})
    ) side order by seq desc limit ${limit}`
  return rows.map(row => ({ ...row, postedAt: row.postedAt.toISOString() }))
}

type TransferRow = Omit<Transfer, 'postedAt'> & { readonly postedAt: Date }

/** Compares that many payments, newest first, those older than the payment `cursor`, with their transfers. */
export async function reconcile(
  sql: Sql,
  { cursor, limit }: { readonly cursor: string | null; readonly limit: number },
): Promise<Reconciliation> {
  const [row] = await sql<
    { checked: number; oldest: string | null; items: Reconciliation['items']; unmatched: number }[]
  >`
    with page as materialized (
      select id, order_id, currency, captured_minor, refunded_minor, provider_says from payments.payments
      ${cursor === null ? sql`` : sql`where id < ${cursor}`} order by id desc limit ${limit}
    ), compared as (
      select page.*, captured.minor as posted_captured_minor, refunded.minor as posted_refunded_minor
      from page cross join lateral (
        select coalesce(sum(t.amount_minor), 0) as minor from payments.transfers t
        where t.kind = 'capture' and t.payment_id = page.id and t.currency = page.currency and t.source_id in (
          select page.id union all select c.id from payments.captures c where c.payment_id = page.id)
      ) captured cross join lateral (
        select coalesce(sum(case t.kind when 'refund' then t.amount_minor else -t.amount_minor end), 0) as minor
        from payments.refunds r join payments.transfers t
          on t.kind in ('refund', 'refund_reversal') and t.source_id = r.id
        where r.payment_id = page.id and t.payment_id = page.id and t.currency = page.currency
      ) refunded
    )
    select count(*) as checked, (select id from page order by id limit 1) as oldest,
      (select count(*) from payments.provider_events where payment_id is null) as unmatched,
      coalesce(jsonb_agg(jsonb_build_object('paymentId', id, 'orderId', order_id, 'currency', currency,
        'capturedMinor', captured_minor, 'refundedMinor', refunded_minor,
        'postedCapturedMinor', posted_captured_minor, 'postedRefundedMinor', posted_refunded_minor,
        'provider', provider_says) order by id desc)
        filter (where (captured_minor, refunded_minor) <> (posted_captured_minor, posted_refunded_minor)
          or provider_says is not null), '[]') as items
    from compared`
  const { checked = 0, oldest = null, items = [], unmatched = 0 } = row ?? {}
  return { checked, items, unmatchedEvents: unmatched, nextCursor: checked < limit ? null : oldest }
}
