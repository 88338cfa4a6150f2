-- What must hold of captures, splits and disputes, and of the ledger now that a source has a transfer per part.

create function invariants.captures(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'payment ' || p.id from payments.payments p
  cross join lateral (
    select coalesce(sum(c.amount_minor) filter (where c.status = 'succeeded'), 0) as done,
           coalesce(sum(c.amount_minor) filter (where c.status = 'pending'), 0) as pending
    from payments.captures c where c.payment_id = p.id
  ) c
  where p.id >= invariants.first_id(since) and (
    p.capture_pending_minor <> c.pending
    or p.captured_minor <> c.done and not (c.done = 0 and p.status = 'captured' and p.captured_minor = p.amount_minor)
    or p.captured_minor + p.capture_pending_minor > p.amount_minor
    or p.status not in ('authorized', 'partially_captured', 'captured') and p.captured_minor + p.capture_pending_minor > 0)
$$;
comment on function invariants.captures is
  'Of each payment as much was captured, or is about to be, as its captures say, and never more than was set aside.';

create function invariants.splits(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'payment ' || p.id from payments.payments p
  where p.id >= invariants.first_id(since) and p.split is not null and (
    p.amount_minor <> (select sum((part ->> 'amountMinor')::bigint) from jsonb_array_elements(p.split) part)
    or exists (
      select from jsonb_array_elements(p.split) with ordinality as part(each, at)
      cross join lateral (
        select coalesce(sum(t.amount_minor) filter (where t.kind::text = 'capture'), 0) as came,
               coalesce(sum(case t.kind::text when 'refund' then t.amount_minor when 'dispute_lost' then t.amount_minor
                                              when 'refund_reversal' then -t.amount_minor end), 0) as went
        from (
          select p.id union all select c.id from payments.captures c where c.payment_id = p.id
          union all select r.id from payments.refunds r where r.payment_id = p.id
          union all select d.id from payments.disputes d where d.payment_id = p.id
        ) source cross join lateral (
          select t.* from payments.transfers t
          where t.kind in ('capture', 'refund', 'refund_reversal', 'dispute_lost') and t.source_id = source.id
          offset 0 -- else Postgres takes kind and part for the shorter way to a few transfers
        ) t
        where t.part = part.at - 1 and t.payment_id = p.id
      ) posted
      where posted.came > (part.each ->> 'amountMinor')::bigint or posted.went not between 0 and posted.came))
$$;
comment on function invariants.splits is
  'The parts of each payment add up to it; none was captured beyond what it is, or given back beyond what was captured.';

create function invariants.disputes(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'dispute ' || d.id from payments.disputes d
  where d.id >= invariants.first_id(since) and (
    select array_agg(array[posted.kind, posted.minor::text] order by posted.kind) from (
      select t.kind::text as kind, sum(t.amount_minor) as minor from payments.transfers t
      where t.source_id = d.id and t.kind in ('dispute', 'dispute_won', 'dispute_lost') group by t.kind) posted
  ) is distinct from case
    when d.status in ('won', 'lost')
      then array[['dispute', d.amount_minor::text], ['dispute_' || d.status, d.amount_minor::text]]
    else array[['dispute', d.amount_minor::text]] end
$$;
comment on function invariants.disputes is
  'What the bank took back in each dispute is posted, and so is how it was decided.';

create or replace function invariants.ledger(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'payment ' || p.id from payments.payments p
  cross join lateral (
    select coalesce(sum(t.amount_minor), 0) as minor from payments.transfers t
    where t.kind = 'capture' and t.payment_id = p.id and t.currency = p.currency and t.source_id in (
      select p.id union all select c.id from payments.captures c where c.payment_id = p.id)
  ) captured cross join lateral (
    select coalesce(sum(case t.kind::text when 'refund' then t.amount_minor else -t.amount_minor end), 0) as minor
    from payments.refunds r join payments.transfers t on t.kind in ('refund', 'refund_reversal')
      and t.source_id = r.id and t.payment_id = p.id and t.currency = p.currency
    where r.payment_id = p.id
  ) refunded
  where p.id >= invariants.first_id(since) and (p.captured_minor, p.refunded_minor) <> (captured.minor, refunded.minor)
  union all
  select 'transfer ' || min(t.seq) from payments.transfers t
  where t.source_id >= invariants.first_id(since)
  group by t.kind, t.source_id having sum(t.amount_minor) is distinct from case t.kind::text
    when 'capture' then coalesce(
      (select c.amount_minor from payments.captures c where c.id = t.source_id and c.status = 'succeeded'),
      (select p.captured_minor from payments.payments p where p.id = t.source_id))
    when 'refund' then (select r.amount_minor from payments.refunds r where r.id = t.source_id and r.status <> 'pending')
    when 'refund_reversal'
      then (select r.amount_minor from payments.refunds r where r.id = t.source_id and r.status = 'failed')
    when 'dispute' then (select d.amount_minor from payments.disputes d where d.id = t.source_id)
    when 'dispute_won' then (select d.amount_minor from payments.disputes d where d.id = t.source_id and d.status = 'won')
    when 'dispute_lost' then (select d.amount_minor from payments.disputes d where d.id = t.source_id and d.status = 'lost')
    when 'payout' then (select o.amount_minor from payments.payouts o where o.id = t.source_id)
  end
$$;

revoke execute on function invariants.captures, invariants.splits, invariants.disputes from public;
grant execute on function invariants.captures, invariants.splits, invariants.disputes to waybill_edge;

-- As before, for what older releases captured and refunded at the sandbox; captures of parts are always posted.
create or replace function payments.post_missing(under xid8 default pg_current_xact_id()) returns bigint
language sql set search_path = payments, pg_temp as $$
  with posted as (
    insert into transfers
      (xid, kind, source_id, payment_id, order_id, debit, credit, amount_minor, currency, posted_at)
    select under, past.kind::transfer_kind, past.source_id, past.payment_id, past.order_id, past.debit, past.credit,
           past.amount_minor, past.currency, past.created_at
    from (
      select 'capture' as kind, p.id as source_id, p.id as payment_id, p.order_id, 'provider:' || p.provider as debit,
             'sales' as credit, p.captured_minor as amount_minor, p.currency, p.created_at
      from payments p where p.captured_minor > 0 and p.capture = 'automatic' and p.split is null
      union all
      select 'refund', r.id, p.id, p.order_id, 'refunds', 'provider:' || p.provider, r.amount_minor, p.currency, r.created_at
      from refunds r join payments p on p.id = r.payment_id where r.status = 'succeeded' and p.split is null
    ) past
    where not exists (select from transfers t where t.kind = past.kind::transfer_kind and t.source_id = past.source_id)
    order by past.created_at, past.source_id
    on conflict do nothing returning 1
  ) select count(*) from posted
$$;
