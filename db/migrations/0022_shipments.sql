-- Parcels with their labels and everything that was ever said of them, and the tickets of kitchens.

create table shipping.shipments (
  id uuid primary key,                          -- the command that called for it
  order_id uuid not null,
  store_id uuid not null,
  customer_id uuid not null,
  lines jsonb not null,                         -- [{"sku", "quantity"}]
  destination jsonb,
  rate_id uuid,
  weight_g bigint not null check (weight_g >= 0),
  origin_country text,
  carrier text not null,
  service text not null,
  status text not null default 'pending',       -- what its events say, once the label is there
  inquiries smallint not null default 0,        -- calls for the label that the carrier did not answer
  label_refusal text,                           -- why the carrier of the rate sold none
  tracking_number text,
  tracking_url text,
  label_format text check (label_format in ('pdf', 'zpl', 'url')),
  label_data text,
  bought_at timestamptz,
  heard_at timestamptz not null,                -- of the last that happened, as far as it was told
  track_at timestamptz,                         -- when its carrier is asked without having been heard of
  created_at timestamptz not null,
  check ((label_format is null) = (label_data is null)),
  check ((status = 'pending') = (bought_at is null))
) with (fillfactor = 70);
create index shipments_of_order on shipping.shipments (order_id, id);
create unique index shipments_tracked on shipping.shipments (carrier, tracking_number) where carrier <> 'manual';
create index shipments_to_track on shipping.shipments (track_at) where track_at is not null;
create index shipments_silent on shipping.shipments (heard_at) where status in
  ('label_created', 'in_transit', 'out_for_delivery', 'available_for_pickup', 'attempt_failed', 'exception', 'unknown');

create table shipping.tracking (
  shipment_id uuid not null references shipping.shipments,
  source text not null,                         -- a carrier, or 'merchant', 'label', 'clock'
  event_id text not null,                       -- of that source: told twice, it is one event
  status text not null,
  rank smallint not null,                       -- of two events the one of the higher rank counts, then the later one
  occurred_at timestamptz not null,
  note text,
  told_at timestamptz not null default now(),
  primary key (shipment_id, source, event_id)
);

-- Webhooks of carriers as they came: a hint to ask the carrier, and no more.
create table shipping.hints (
  carrier text not null,
  event_id text not null,
  tracking_number text not null,
  raw bytea not null,
  received_at timestamptz not null default now(),
  primary key (carrier, event_id)
);
create index hints_of_parcel on shipping.hints (carrier, tracking_number);

create table shipping.tickets (
  id uuid primary key,                          -- the command that called for it
  order_id uuid not null unique,
  store_id uuid not null,
  customer_id uuid not null,
  lines jsonb not null,
  destination jsonb,                            -- null: picked up
  state text not null default 'accepted'
    check (state in ('accepted', 'preparing', 'ready', 'out_for_delivery', 'picked_up', 'delivered')),
  accepted_at timestamptz not null
) with (fillfactor = 70);
create index tickets_of_store on shipping.tickets (store_id, state, id);

create table shipping.ticket_moves (
  ticket_id uuid not null references shipping.tickets,
  to_state text not null,                       -- none is entered twice
  actor_id text,
  at timestamptz not null,
  primary key (ticket_id, to_state)
);

create function invariants.shipped(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select distinct 'order ' || sent.order_id from (
    select all_of.order_id, line.sku, sum(line.quantity) as quantity from (
      select s.order_id, s.lines from shipping.shipments s where s.status <> 'cancelled'
      union all
      select t.order_id, t.lines from shipping.tickets t
    ) all_of cross join lateral jsonb_to_recordset(all_of.lines) as line(sku text, quantity bigint)
    where all_of.order_id >= invariants.first_id(since)
    group by all_of.order_id, line.sku
  ) sent left join orders.lines l on l.order_id = sent.order_id and l.sku = sent.sku
  where sent.quantity > coalesce(l.quantity, 0)
$$;
comment on function invariants.shipped is 'No order has more pieces in its parcels and on its ticket than in its lines.';

create function invariants.labels(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'shipment ' || s.id from shipping.shipments s
  where s.id >= invariants.first_id(since) and (s.bought_at is not null)::int <>
    (select count(*) from shipping.tracking t where t.shipment_id = s.id and (t.source, t.event_id) = ('label', 'bought'))
$$;
comment on function invariants.labels is 'Each parcel has one label, and none before it was bought.';

create function invariants.tracking(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'shipment ' || s.id from shipping.shipments s
  where s.id >= invariants.first_id(since) and s.status <> 'pending' and s.status is distinct from
    (select t.status from shipping.tracking t where t.shipment_id = s.id
     order by t.rank desc, t.occurred_at desc, t.status collate "C" desc limit 1)
$$;
comment on function invariants.tracking is 'The status of each parcel is what its events say, in whatever order they came.';

create function invariants.tickets(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'ticket ' || t.id from shipping.tickets t
  where t.id >= invariants.first_id(since) and
    (select coalesce(array_agg(m.to_state order by m.at, array_position(
       array['preparing', 'ready', 'out_for_delivery', 'picked_up', 'delivered'], m.to_state)), '{}')
     from shipping.ticket_moves m where m.ticket_id = t.id) <>
    case t.state
      when 'accepted' then '{}'::text[]
      when 'preparing' then array['preparing']
      when 'ready' then array['preparing', 'ready']
      when 'out_for_delivery' then array['preparing', 'ready', 'out_for_delivery']
      when 'picked_up' then array['preparing', 'ready', 'picked_up']
      when 'delivered' then array['preparing', 'ready', 'out_for_delivery', 'delivered']
    end
$$;
comment on function invariants.tickets is 'Each ticket of a kitchen has come to its state step by step.';

revoke execute on function invariants.shipped, invariants.labels, invariants.tracking, invariants.tickets from public;
grant execute on function invariants.shipped, invariants.labels, invariants.tracking, invariants.tickets to waybill_edge;
