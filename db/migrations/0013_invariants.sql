-- What must hold at every instant, as functions: each answers what breaks it among all that happened since a moment, and
-- nothing if it holds. Its comment says it in a sentence. db/invariants.ts runs them all.

create schema invariants;

-- The least id that a command of that time can have (UUIDv7).
create function invariants.first_id(since timestamptz) returns uuid language sql immutable as $$
  select (lpad(to_hex((extract(epoch from since) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

create function invariants.stock(since timestamptz) returns setof text
language sql stable security definer set search_path = '' set enable_seqscan = on set enable_hashjoin = on as $$
  select 'SKU ' || s.sku from catalog.stock s
  left join (
    select r.sku, sum(r.quantity) as quantity from catalog.reservations r
    where r.state in ('held', 'committed') group by r.sku
  ) active on active.sku = s.sku
  where s.reserved <> coalesce(active.quantity, 0) or s.reserved not between 0 and s.on_hand
$$;
comment on function invariants.stock is
  'Of each product as many pieces are reserved as open and paid orders hold, and no more than there are.';

create function invariants.pieces(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'order ' || o.id from orders.orders o
  where o.id >= invariants.first_id(since) and (
    (select array_agg((l.sku, l.quantity)::text order by l.sku) from orders.lines l where l.order_id = o.id)
    is distinct from
    (select array_agg((r.sku, r.quantity)::text order by r.sku) from catalog.reservations r where r.order_id = o.id
       and r.state = case o.state when 'paid' then 'committed' when 'cancelled' then 'released'
                                  when 'expired' then 'released' else 'held' end))
$$;
comment on function invariants.pieces is
  'Each order has exactly the pieces of its lines: held while it is unpaid, sold once it is paid, free once it is cancelled or expired.';

create function invariants.totals(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'order ' || o.id from orders.orders o
  where o.id >= invariants.first_id(since)
    and o.total_minor is distinct from (select sum(l.total_minor) from orders.lines l where l.order_id = o.id)
$$;
comment on function invariants.totals is 'The total of each order is the sum of its lines.';

create function invariants.history(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'order ' || o.id from orders.orders o
  where o.id >= invariants.first_id(since) and (
    (select count(*) from orders.history h where h.order_id = o.id) <> o.version
    or (select h.to_state from orders.history h where h.order_id = o.id and h.seq = o.version) is distinct from o.state)
$$;
comment on function invariants.history is 'The history of each order has a row for every step, and ends in its state.';

create function invariants.charges(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'payment ' || p.id from payments.payments p join orders.orders o on o.id = p.order_id
  where p.id >= invariants.first_id(since) and (p.amount_minor, p.currency) <> (o.total_minor, o.currency)
$$;
comment on function invariants.charges is 'Each charge is of the total of its order, in its currency.';

create function invariants.refunds(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'payment ' || p.id from payments.payments p
  cross join lateral (
    select coalesce(sum(r.amount_minor) filter (where r.status = 'succeeded'), 0) as done,
           coalesce(sum(r.amount_minor) filter (where r.status = 'pending'), 0) as pending
    from payments.refunds r where r.payment_id = p.id
  ) r
  where p.id >= invariants.first_id(since) and (
    p.refunded_minor <> r.done or p.refund_pending_minor <> r.pending
    or p.refunded_minor + p.refund_pending_minor > p.captured_minor)
$$;
comment on function invariants.refunds is
  'Of each payment as much went back, or is on its way, as its refunds say, and never more than was captured.';

create function invariants.paid(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'order ' || o.id from orders.orders o left join payments.payments p on p.id = o.payment_id
  where o.id >= invariants.first_id(since) and (o.state = 'paid' or o.payment_id is not null)
    and (p.order_id, p.captured_minor) is distinct from (o.id, o.total_minor)
$$;
comment on function invariants.paid is 'Each paid order has a payment of its own that was captured in full.';

create function invariants.captured(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'payment ' || p.id from payments.payments p
  where p.id >= invariants.first_id(since) and p.created_at < now() - interval '10 minutes' and p.captured_minor > 0
    and p.refunded_minor + p.refund_pending_minor < p.captured_minor
    and not exists (select from orders.orders o where o.id = p.order_id and o.payment_id = p.id)
$$;
comment on function invariants.captured is
  'Money that was captured is counted by its order, or goes back, within ten minutes.';

create function invariants.quotes(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'quote ' || q.id from orders.quotes q left join orders.orders o on o.id = q.order_id
  where q.id >= invariants.first_id(since) and (
    q.total_minor is distinct from (select sum(l.total_minor) from orders.quote_lines l where l.quote_id = q.id)
    or q.order_id is not null
      and (o.customer_id, o.total_minor, o.currency) is distinct from (q.customer_id, q.total_minor, q.currency))
$$;
comment on function invariants.quotes is
  'The total of each quote is the sum of its lines, and the order that used it is its customer''s, at that total.';

create function invariants.prices(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'SKU ' || p.sku from catalog.products p
  left join catalog.prices last on last.product_id = p.id and last.version = p.price_version
  where (p.price_minor, p.currency) is distinct from (last.price_minor, last.currency)
    or p.price_version <> (select count(*) from catalog.prices all_of where all_of.product_id = p.id)
$$;
comment on function invariants.prices is 'The price of each product is the last of its history, which has no gaps.';

create function invariants.ledger(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'payment ' || p.id from payments.payments p
  cross join lateral (
    select coalesce(sum(t.amount_minor), 0) as minor from payments.transfers t
    where t.kind = 'capture' and t.source_id = p.id and t.payment_id = p.id and t.currency = p.currency
  ) captured cross join lateral (
    select coalesce(sum(t.amount_minor), 0) as minor from payments.refunds r
    join payments.transfers t on t.kind = 'refund' and t.source_id = r.id and t.payment_id = p.id and t.currency = p.currency
    where r.payment_id = p.id
  ) refunded
  where p.id >= invariants.first_id(since) and (p.captured_minor, p.refunded_minor) <> (captured.minor, refunded.minor)
  union all
  select 'transfer ' || t.seq from payments.transfers t
  where t.source_id >= invariants.first_id(since) and t.amount_minor is distinct from case t.kind
    when 'capture' then (select p.captured_minor from payments.payments p where p.id = t.source_id)
    when 'refund' then (select r.amount_minor from payments.refunds r where r.id = t.source_id and r.status = 'succeeded')
  end
$$;
comment on function invariants.ledger is 'What each payment captured and refunded is what was posted for it.';

create function invariants.balances(since timestamptz) returns setof text
language sql stable security definer set search_path = '' set enable_seqscan = on set enable_hashjoin = on as $$
  select 'account ' || account || ' in ' || currency from payments.account_balances b full join (
    select side.account, t.currency, sum(side.debits)::bigint as debits_minor, sum(side.credits)::bigint as credits_minor
    from payments.transfers t cross join lateral (
      values (t.debit, t.amount_minor, 0), (t.credit, 0, t.amount_minor)) as side(account, debits, credits)
    group by side.account, t.currency
  ) posted using (account, currency)
  where (b.debits_minor, b.credits_minor) is distinct from (posted.debits_minor, posted.credits_minor)
$$;
comment on function invariants.balances is 'The balance of each account is the sum of what was posted to it.';

create function invariants.events(since timestamptz) returns setof text
language sql stable security definer set search_path = '' set enable_seqscan = on as $$
  select 'event ' || c.event_id || ' for ' || c.type from journal.commands c
  where c.id >= invariants.first_id(since) and c.event_id is not null and c.redrive_of is null
  group by c.event_id, c.type having count(*) > 1
$$;
comment on function invariants.events is 'No event was told twice to one subscriber.';

create function invariants.abandoned(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'command ' || c.id from journal.commands c
  where c.settled_at is null and c.due_at < now() - interval '5 minutes'
    and (c.state <> 'running' or c.started_at < now() - interval '2 hours')
$$;
comment on function invariants.abandoned is 'Every accepted command that is due is worked on within five minutes.';

revoke execute on all functions in schema invariants from public;
grant usage on schema invariants to waybill_edge;
grant execute on all functions in schema invariants to waybill_edge;
