-- What a store sold, gave back, lost, paid and was paid, rolled up like balances: a statement does not sum the history.

create table if not exists payments.store_sums (
  store_id uuid not null,
  currency text not null,
  line text not null,                           -- a line of the statement
  minor bigint not null,
  primary key (store_id, currency, line)
);
alter table payments.roll_up add column stores_horizon xid8 not null default '0';  -- as `horizon`, for these sums

-- What each transfer means on the statement of a store: its own account, and what the platform kept of its sales.
create view payments.store_entries as
select t.xid, side.store_id, t.currency, side.line, side.minor
from payments.transfers t cross join lateral (
  select substr(t.credit, 7)::uuid as store_id,
         case t.kind::text when 'capture' then 'taken' when 'refund_reversal' then 'refunded' end as line,
         case t.kind::text when 'capture' then t.amount_minor else -t.amount_minor end as minor
  where t.credit like 'store:%'
  union all
  select substr(t.debit, 7)::uuid,
         case t.kind::text when 'refund' then 'refunded' when 'dispute_lost' then 'disputed' when 'payout' then 'paid_out' end,
         t.amount_minor
  where t.debit like 'store:%'
  union all
  select p.store_id, 'commission', case when t.credit = 'commission' then t.amount_minor else -t.amount_minor end
  from payments.payments p where p.id = t.payment_id and p.store_id is not null and 'commission' in (t.debit, t.credit)
) side;

delete from payments.store_sums;
insert into payments.store_sums (store_id, currency, line, minor)
select store_id, currency, line, sum(minor) from payments.store_entries
where xid < (select horizon from payments.roll_up) group by 1, 2, 3;
update payments.roll_up set stores_horizon = horizon;

-- At any moment: what is rolled up, and the tail that is not; all of it after a restore, as in account_balances.
create view payments.store_statements as
with mark as materialized (
  select horizon > pg_snapshot_xmax(pg_current_snapshot()) as is_foreign, stores_horizon from payments.roll_up
)
select part.store_id, part.currency, part.line, sum(part.minor)::bigint as minor
from (
  select s.store_id, s.currency, s.line, s.minor from payments.store_sums s where not (select is_foreign from mark)
  union all
  select e.store_id, e.currency, e.line, e.minor from payments.store_entries e
  where e.xid >= (select case when is_foreign then '0' else stores_horizon end from mark)
) part group by part.store_id, part.currency, part.line;

create or replace function payments.rebuild_balances() returns void
language plpgsql set search_path = payments, pg_temp as $$
begin
  perform from roll_up for update;
  update transfers set xid = '0' where xid >= pg_snapshot_xmax(pg_current_snapshot());
  delete from balances;
  delete from store_sums;
  with mark as materialized (select pg_snapshot_xmin(pg_current_snapshot()) as horizon), moved as (
    update roll_up set horizon = mark.horizon, stores_horizon = mark.horizon from mark
  ), stores as (
    insert into store_sums (store_id, currency, line, minor)
    select store_id, currency, line, sum(minor) from store_entries where xid < (select horizon from mark) group by 1, 2, 3
  )
  insert into balances (account, currency, debits_minor, credits_minor)
  select side.account, t.currency, sum(side.debits_minor), sum(side.credits_minor) from transfers t
  cross join lateral (values (t.debit, t.amount_minor, 0::bigint), (t.credit, 0::bigint, t.amount_minor))
    as side(account, debits_minor, credits_minor)
  where t.xid < (select horizon from mark) group by side.account, t.currency;
end $$;
revoke execute on function payments.rebuild_balances from public;

create or replace function invariants.statements(since timestamptz) returns setof text
language sql stable security definer set search_path = '' set enable_seqscan = on set enable_hashjoin = on as $$
  select 'store ' || store_id || ' in ' || currency from (
    select store_id, currency, line, minor from payments.store_statements where minor <> 0
  ) read full join (
    select store_id, currency, line, sum(minor)::bigint as minor from payments.store_entries group by 1, 2, 3
    having sum(minor) <> 0
  ) posted using (store_id, currency, line)
  where read.minor is distinct from posted.minor
  union
  select 'payout ' || o.id from payments.payouts o
  where o.id >= invariants.first_id(since) and not exists (
    select from payments.transfers t where t.kind = 'payout' and t.source_id = o.id and t.amount_minor = o.amount_minor
      and t.currency = o.currency and t.debit = 'store:' || o.store_id and t.credit = 'bank')
$$;
comment on function invariants.statements is
  'The statement of each store is the sum of what was posted for it, and each payout is posted.';
revoke execute on function invariants.statements from public;
grant execute on function invariants.statements to waybill_edge;
