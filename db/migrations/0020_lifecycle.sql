-- Orders after they are paid: accepted or shipped, delivered, returned; money that is set aside first; and cases, which a
-- person has to look at.

alter table orders.orders
  drop constraint orders_state_check,
  drop constraint orders_check,                 -- captured is all or nothing
  drop column payment_status,
  add column authorized_minor bigint not null default 0 check (authorized_minor >= 0), -- set aside, and not let go since
  add column disputed boolean not null default false,
  add column action jsonb,                      -- {paymentId, url}: what the buyer has to do at the bank
  add column accept_within_ms integer,          -- null: a shop, which ships; else a kitchen, which accepts
  add column accept_by timestamptz,             -- set when it is paid
  add column handed_over boolean not null default false, -- pieces were given to the carrier or the kitchen: no way back
  add column completed_at timestamptz,
  add constraint orders_state_check check (state in ('pending_payment', 'payment_failed', 'paid', 'fulfilling', 'completed',
    'return_requested', 'returned', 'cancelled', 'expired')),
  add constraint orders_captured_check check (captured_minor between 0 and total_minor),
  add column payment_status text not null generated always as (
    case when disputed then 'disputed'
         when captured_minor = 0 then case when authorized_minor > 0 then 'authorized' else 'none' end
         when refunded_minor >= captured_minor then 'refunded'
         when refunded_minor > 0 then 'partially_refunded'
         when captured_minor < total_minor then 'partially_captured'
         else 'captured' end) stored;
create index orders_unaccepted on orders.orders (accept_by) where state = 'paid' and accept_by is not null;
-- What has ended while somebody's money is still here: rows are in it for as long as a refund or a void takes.
create index orders_owing on orders.orders (id)
  where state in ('cancelled', 'expired') and greatest(captured_minor, authorized_minor) > refunded_minor;

alter table orders.lines
  add column shipped bigint not null default 0,
  add column returned bigint not null default 0,
  add constraint lines_shipped_check check (shipped between 0 and quantity),
  add constraint lines_returned_check check (returned between 0 and shipped);

create table orders.shipments (
  id uuid primary key,                          -- the id of its orders.ship or orders.accept
  order_id uuid not null references orders.orders,
  kind text not null check (kind in ('parcel', 'kitchen')),
  state text not null check (state in ('awaiting_money', 'handed_over', 'delivered', 'returned', 'cancelled')),
  created_at timestamptz not null
);
create index shipments_of_order on orders.shipments (order_id);
create index shipments_awaiting on orders.shipments (id) where state = 'awaiting_money';
create table orders.shipment_lines (
  shipment_id uuid not null references orders.shipments,
  sku text not null,
  quantity bigint not null check (quantity > 0),
  primary key (shipment_id, sku)
);

create table orders.returns (
  id uuid primary key,                          -- the id of its orders.request-return
  order_id uuid not null references orders.orders,
  state text not null default 'requested' check (state in ('requested', 'received', 'declined')),
  reason text not null,
  refund_minor bigint not null default 0 check (refund_minor >= 0),
  requested_at timestamptz not null,
  decided_at timestamptz
);
create unique index returns_open on orders.returns (order_id) where state = 'requested';
create index returns_of_order on orders.returns (order_id);
create table orders.return_lines (
  return_id uuid not null references orders.returns,
  sku text not null,
  quantity bigint not null check (quantity > 0),
  restocked boolean,                            -- null: it has not been received
  primary key (return_id, sku)
);

-- What a person has to look at. Written with what it tells of, once per cause, and never deleted.
create table orders.cases (
  id uuid primary key,
  kind text not null,
  cause uuid not null,                          -- the payment, command, refund, dispute, shipment or order it is about
  order_id uuid not null references orders.orders,
  payment_id uuid,
  detail jsonb not null default '{}',
  state text not null default 'open' check (state in ('open', 'resolved')),
  opened_at timestamptz not null,
  resolved_at timestamptz,
  resolved_by text,
  resolution text,
  unique (kind, cause),
  check ((state = 'resolved') = (resolved_at is not null and resolved_by is not null and resolution is not null))
);
create index cases_of_order on orders.cases (order_id, id);
create index cases_open on orders.cases (id) where state = 'open';
revoke delete on orders.cases from waybill_orders;

-- Pieces that leave the shelf, and pieces that come back to it.

alter table catalog.reservations
  drop constraint reservations_state_check,
  add column fulfilled bigint not null default 0,
  add column restocked bigint not null default 0,
  add constraint reservations_state_check check (state in ('held', 'committed', 'fulfilled', 'released')),
  add constraint reservations_fulfilled_check check (fulfilled between 0 and quantity),
  add constraint reservations_restocked_check check (restocked between 0 and fulfilled);

-- The pieces, [{"sku", "quantity"}], of an order leave the shelf: they are neither on hand nor reserved any more.
-- Answers how many lines it took them from; one that has not that many left is not touched.
create function catalog.fulfil(for_order uuid, lines jsonb) returns integer
language plpgsql security definer set search_path = catalog, pg_temp set enable_seqscan = off as $$
declare counted integer;
begin
  perform from stock s where s.sku = any(array(select l.sku from jsonb_to_recordset(lines) as l(sku text)))
  order by s.sku for update;
  with taken as (
    update reservations r
    set fulfilled = r.fulfilled + l.quantity,
        state = case when r.fulfilled + l.quantity = r.quantity then 'fulfilled' else r.state end
    from jsonb_to_recordset(lines) as l(sku text, quantity bigint)
    where r.order_id = for_order and r.sku = l.sku and r.state = 'committed' and r.fulfilled + l.quantity <= r.quantity
    returning l.sku, l.quantity
  )
  update stock s set on_hand = s.on_hand - taken.quantity, reserved = s.reserved - taken.quantity
  from taken where s.sku = taken.sku;
  get diagnostics counted = row_count;
  return counted;
end $$;

-- Pieces of an order that had left come back to the shelf and can be sold again. Answers like fulfil().
create function catalog.restock(for_order uuid, lines jsonb) returns integer
language plpgsql security definer set search_path = catalog, pg_temp set enable_seqscan = off as $$
declare counted integer;
begin
  perform from stock s where s.sku = any(array(select l.sku from jsonb_to_recordset(lines) as l(sku text)))
  order by s.sku for update;
  with back as (
    update reservations r set restocked = r.restocked + l.quantity
    from jsonb_to_recordset(lines) as l(sku text, quantity bigint)
    where r.order_id = for_order and r.sku = l.sku and r.restocked + l.quantity <= r.fulfilled
    returning l.sku, l.quantity
  )
  update stock s set on_hand = s.on_hand + back.quantity from back where s.sku = back.sku;
  get diagnostics counted = row_count;
  return counted;
end $$;
revoke execute on function catalog.fulfil, catalog.restock from public;
grant execute on function catalog.fulfil, catalog.restock to waybill_orders;

-- What orders may know of the journal, to make cases of it.

create index dead_letters_age on journal.dead_letters (died_at);

-- Open dead letters since a moment, with what may tell which order they belong to.
create function journal.dead_since(since timestamptz)
returns table (command_id uuid, type text, because text, died_at timestamptz, order_id text, payment_id text,
               root_id uuid, root_order_id text)
language sql stable security definer set search_path = journal, pg_temp as $$
  select d.command_id, d.type, d.error ->> 'message', d.died_at, c.input ->> 'orderId', c.input ->> 'paymentId',
         c.correlation_id, root.input ->> 'orderId'
  from journal.dead_letters d join journal.commands c on c.id = d.command_id
  left join journal.commands root on root.id = c.correlation_id
  where d.state = 'open' and d.died_at >= since
$$;

-- Commands of one type that ended with a no and were asked for by the system, in these stories.
create function journal.refused(stories uuid[], of_type text)
returns table (command_id uuid, root_id uuid, parent_id uuid, refusal jsonb)
language sql stable security definer set search_path = journal, pg_temp as $$
  select c.id, c.correlation_id, c.parent_id, c.result from journal.commands c
  where c.correlation_id = any(stories) and c.type = of_type and c.state = 'rejected'
$$;
revoke execute on function journal.dead_since, journal.refused from public;
grant execute on function journal.dead_since, journal.refused to waybill_orders;

-- What must hold of all that.

create or replace function invariants.stock(since timestamptz) returns setof text
language sql stable security definer set search_path = '' set enable_seqscan = on set enable_hashjoin = on as $$
  select 'SKU ' || s.sku from catalog.stock s
  left join (
    select r.sku, sum(r.quantity - r.fulfilled) as quantity from catalog.reservations r
    where r.state in ('held', 'committed') group by r.sku
  ) active on active.sku = s.sku
  where s.reserved <> coalesce(active.quantity, 0) or s.reserved not between 0 and s.on_hand
$$;

create or replace function invariants.pieces(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'order ' || o.id from orders.orders o
  where o.id >= invariants.first_id(since) and (
    (select array_agg((l.sku, l.quantity)::text order by l.sku) from orders.lines l where l.order_id = o.id)
    is distinct from
    (select array_agg((r.sku, r.quantity)::text order by r.sku) from catalog.reservations r where r.order_id = o.id
       and case when o.state in ('cancelled', 'expired') then r.state = 'released'
                when o.state in ('pending_payment', 'payment_failed') then r.state = 'held'
                when r.fulfilled = r.quantity then r.state = 'fulfilled'
                else r.state = 'committed' end))
$$;
comment on function invariants.pieces is
  'Each order has exactly the pieces of its lines: held while it is unpaid, sold once it is paid, gone once they are handed over, free once it is cancelled or expired.';

create or replace function invariants.paid(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'order ' || o.id from orders.orders o left join payments.payments p on p.id = o.payment_id
  where o.id >= invariants.first_id(since)
    and (o.state in ('paid', 'fulfilling', 'completed', 'return_requested', 'returned') or o.payment_id is not null)
    and (p.order_id is distinct from o.id or p.amount_minor <> o.total_minor or p.captured_minor < o.captured_minor
         or o.state not in ('pending_payment', 'payment_failed', 'cancelled', 'expired')
            and greatest(o.authorized_minor, o.captured_minor) < o.total_minor
         or o.handed_over and o.captured_minor < o.total_minor)
$$;
comment on function invariants.paid is
  'Each paid order has a payment of its own, captured or set aside in full; captured in full, once pieces were handed over.';

create function invariants.shipments(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'order ' || o.id from orders.orders o
  where o.id >= invariants.first_id(since) and (o.state in ('fulfilling', 'completed', 'return_requested', 'returned')
      or o.handed_over)
    and (exists (
      select from orders.lines l
      left join catalog.reservations r on r.order_id = l.order_id and r.sku = l.sku
      cross join lateral (
        select coalesce(sum(sl.quantity) filter (where s.state <> 'cancelled'), 0) as asked,
               coalesce(sum(sl.quantity) filter (where s.state not in ('cancelled', 'awaiting_money')), 0) as handed_over
        from orders.shipments s join orders.shipment_lines sl on sl.shipment_id = s.id and sl.sku = l.sku
        where s.order_id = o.id
      ) sent
      where l.order_id = o.id
        and (l.shipped <> sent.asked or r.fulfilled is distinct from sent.handed_over
             or o.state in ('completed', 'return_requested', 'returned') and l.shipped < l.quantity))
    or o.state in ('completed', 'return_requested', 'returned')
      and exists (select from orders.shipments s where s.order_id = o.id and s.state in ('awaiting_money', 'handed_over')))
$$;
comment on function invariants.shipments is
  'Of each line as many pieces left the shelf as its shipments took, and a completed order has all of them delivered.';

create function invariants.returns(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'order ' || o.id from orders.orders o
  where o.id >= invariants.first_id(since) and o.state in ('completed', 'return_requested', 'returned')
    and (exists (
      select from orders.lines l
      left join catalog.reservations r on r.order_id = l.order_id and r.sku = l.sku
      cross join lateral (
        select coalesce(sum(rl.quantity), 0) as pieces, coalesce(sum(rl.quantity) filter (where rl.restocked), 0) as restocked
        from orders.returns t join orders.return_lines rl on rl.return_id = t.id and rl.sku = l.sku
        where t.order_id = o.id and t.state <> 'declined'
      ) back
      where l.order_id = o.id and (l.returned <> back.pieces or r.restocked is distinct from back.restocked))
    or (o.state = 'return_requested') <> exists (
      select from orders.returns t where t.order_id = o.id and t.state = 'requested')
    or (select coalesce(sum(t.refund_minor), 0) from orders.returns t where t.order_id = o.id) > o.captured_minor)
$$;
comment on function invariants.returns is
  'Of each line as many pieces came back, or are awaited, as its returns say, and no more money goes back for them than was paid.';

revoke execute on function invariants.shipments, invariants.returns from public;
grant execute on function invariants.shipments, invariants.returns to waybill_edge;
