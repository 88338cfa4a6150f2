-- The ledger: double entry by construction, append-only. One row moves an amount from one account to another.

create type payments.transfer_kind as enum ('capture', 'refund');

create table payments.transfers (
  seq bigint generated always as identity,      -- the order in which they were begun, which is not that of their commits
  xid xid8 not null default pg_current_xact_id(),  -- the transaction that posted it: see roll_up
  amount_minor bigint not null,
  posted_at timestamptz not null default now(),
  source_id uuid not null,                      -- the payment of a capture, the refund of a refund
  payment_id uuid not null,
  order_id uuid not null,
  kind payments.transfer_kind not null,
  debit text not null,                          -- the account that it goes to: see the chart in queues/payments.ts
  credit text not null,                         -- the account that it comes from
  currency text not null,
  primary key (kind, source_id),                -- whoever posts it again, it is the same transfer
  check (amount_minor > 0 and debit <> credit)
);
create index transfers_debit on payments.transfers (debit, seq);
create index transfers_credit on payments.transfers (credit, seq);
create index transfers_xid on payments.transfers (xid);

-- The service posts and reads; it changes nothing, and cannot post into the past that is rolled up already.
revoke all on payments.transfers from waybill_payments;
grant select on payments.transfers to waybill_payments;
grant insert (kind, source_id, payment_id, order_id, debit, credit, amount_minor, currency)
  on payments.transfers to waybill_payments;

-- The sums of all transfers of transactions before `horizon`.
create table payments.balances (
  account text not null,
  currency text not null,
  debits_minor bigint not null,
  credits_minor bigint not null,
  primary key (account, currency)
);
create table payments.roll_up (
  single boolean primary key default true check (single),
  horizon xid8 not null                         -- every transaction before it had ended: none can add a transfer
);
insert into payments.roll_up (horizon) values ('0');

-- What each account holds, at any moment: what is rolled up, and the tail that is not. A horizon that no transaction of
-- this server has reached came from another one, with a dump: then all is summed, until the next roll-up starts anew.
create view payments.account_balances as
with mark as materialized (
  select horizon > pg_snapshot_xmax(pg_current_snapshot()) as is_foreign, horizon from payments.roll_up
)
select part.account, part.currency, sum(part.debits_minor)::bigint as debits_minor,
       sum(part.credits_minor)::bigint as credits_minor
from (
  select b.account, b.currency, b.debits_minor, b.credits_minor from payments.balances b
  where not (select is_foreign from mark)
  union all
  select side.account, t.currency, side.debits_minor, side.credits_minor from payments.transfers t
  cross join lateral (values (t.debit, t.amount_minor, 0::bigint), (t.credit, 0::bigint, t.amount_minor))
    as side(account, debits_minor, credits_minor)
  where t.xid >= (select case when is_foreign then '0' else horizon end from mark)
) part group by part.account, part.currency;

-- Sums all over again. For the owner, after a dump was restored on a server that has not seen as many transactions: what
-- is restored is then part of no transaction of this one, and rolled up at once.
create function payments.rebuild_balances() returns void
language plpgsql set search_path = payments, pg_temp as $$
begin
  perform from roll_up for update;
  update transfers set xid = '0' where xid >= pg_snapshot_xmax(pg_current_snapshot());
  delete from balances;
  with mark as materialized (select pg_snapshot_xmin(pg_current_snapshot()) as horizon), moved as (
    update roll_up set horizon = mark.horizon from mark
  )
  insert into balances (account, currency, debits_minor, credits_minor)
  select side.account, t.currency, sum(side.debits_minor), sum(side.credits_minor) from transfers t
  cross join lateral (values (t.debit, t.amount_minor, 0::bigint), (t.credit, 0::bigint, t.amount_minor))
    as side(account, debits_minor, credits_minor)
  where t.xid < (select horizon from mark) group by side.account, t.currency;
end $$;
revoke execute on function payments.rebuild_balances from public;

-- Posts what was captured and refunded and is not posted: by releases from before there was a ledger, which may go on for
-- a while after this migration. For the owner; twice is once.
create function payments.post_missing(under xid8 default pg_current_xact_id()) returns bigint
language sql set search_path = payments, pg_temp as $$
  with posted as (
    insert into transfers
      (xid, kind, source_id, payment_id, order_id, debit, credit, amount_minor, currency, posted_at)
    select under, past.kind::transfer_kind, past.source_id, past.payment_id, past.order_id, past.debit, past.credit,
           past.amount_minor, past.currency, past.created_at
    from (
      select 'capture' as kind, p.id as source_id, p.id as payment_id, p.order_id, 'provider:sandbox' as debit,
             'sales' as credit, p.captured_minor as amount_minor, p.currency, p.created_at
      from payments p where p.captured_minor > 0
      union all
      select 'refund', r.id, p.id, p.order_id, 'refunds', 'provider:sandbox', r.amount_minor, p.currency, r.created_at
      from refunds r join payments p on p.id = r.payment_id where r.status = 'succeeded'
    ) past
    where not exists (select from transfers t where t.kind = past.kind::transfer_kind and t.source_id = past.source_id)
    order by past.created_at, past.source_id
    on conflict do nothing returning 1
  ) select count(*) from posted
$$;
revoke execute on function payments.post_missing from public;

select payments.post_missing('0');
select payments.rebuild_balances();
