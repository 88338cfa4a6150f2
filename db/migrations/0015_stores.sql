-- Stores: whose the products are, when they take orders, and on which terms they sell.

create table catalog.stores (
  id uuid primary key,
  kind text not null check (kind in ('shop', 'restaurant')),
  name text not null,
  address jsonb,                                -- {line1, line2?, city, postalCode, country}
  time_zone text not null default 'UTC',        -- IANA
  -- [{"day": 1..7 from Monday, "opens": "HH:MM", "closes": "HH:MM"}] on the clocks of the store; none: always open.
  opening_hours jsonb not null default '[]' check (jsonb_typeof(opening_hours) = 'array'),
  accepting boolean not null default true,      -- the switch beside the hours
  capture text not null check (capture in ('automatic', 'manual')),
  accept_within_ms integer check (accept_within_ms > 0),
  commission_ppm integer not null default 0 check (commission_ppm between 0 and 1000000),
  prices_include_tax boolean not null default false,
  taxes jsonb not null default '[]',            -- [{"country", "taxClass", "ratePpm", "name"}]
  created_at timestamptz not null,
  check ((accept_within_ms is not null) = (kind = 'restaurant'))
);

-- What an order must know of its store, as it is whenever the store has no hours to look at.
create function catalog.terms(kind text, address jsonb, accepting boolean, capture text, accept_within_ms integer,
                              commission_ppm integer, prices_include_tax boolean, taxes jsonb) returns jsonb
-- Immutable, for of jsonb_build_object only what it makes of other types depends on settings.
language sql immutable parallel safe as $$
  select jsonb_build_object('kind', kind, 'capture', capture, 'acceptWithinMs', accept_within_ms,
    'pricesIncludeTax', prices_include_tax, 'country', address ->> 'country', 'taxes', taxes,
    'commissionPpm', commission_ppm, 'open', accepting, 'opensAt', null)
$$;
alter table catalog.stores
  add column terms jsonb not null generated always as (
    catalog.terms(kind, address, accepting, capture, accept_within_ms, commission_ppm, prices_include_tax, taxes)) stored,
  -- Whether the clock decides: a store without hours, or one that takes no orders at all, is what `terms` says.
  add column by_the_clock boolean not null generated always as (accepting and opening_hours <> '[]') stored;

-- Whether a store with these hours is open at a moment, and if not, when it opens next: {"open", "opensAt"}. Hours are
-- what the clocks of the store show. A time that they skip is that of the clocks as they were before, and of a time
-- that they show twice the second counts: so nothing opens twice in a night.
create function catalog.opening(opening_hours jsonb, time_zone text, at timestamptz default clock_timestamp())
returns jsonb language sql stable parallel safe as $$
  with span as (
    select (midnight + h.opens) at time zone time_zone as opens,
           (midnight + h.closes + case when h.closes <= h.opens then interval '1 day' else interval '0' end)
             at time zone time_zone as closes
    from date_trunc('day', at at time zone time_zone) as today
    cross join generate_series(today - interval '1 day', today + interval '14 days', interval '1 day') as midnight
    join jsonb_to_recordset(opening_hours) as h(day integer, opens time, closes time)
      on h.day = extract(isodow from midnight)
  )
  select jsonb_build_object('open', is_open, 'opensAt', case when not is_open then
    to_char(next at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end)
  from (
    select coalesce(bool_or(opens <= at and at < closes), false) as is_open,
           min(opens) filter (where opens > at and closes > opens) as next
    from span
  ) found
$$;

-- The store of everything that was sold before there were stores, and of whatever names none.
insert into catalog.stores (id, kind, name, capture, created_at)
values ('00000000-0000-7000-8000-000000000001', 'shop', 'Main store', 'automatic', now());

alter table catalog.products
  add column store_id uuid not null default '00000000-0000-7000-8000-000000000001' references catalog.stores,
  add column weight_g integer not null default 0 check (weight_g >= 0),
  add column tax_class text not null default 'standard' check (tax_class in ('standard', 'reduced', 'zero'));

-- offer() and reserve() also say whose the product is, what it weighs, how it is taxed, and the terms of its store.

drop function catalog.offer(jsonb);
drop function catalog.reserve(jsonb);

-- What each of these orders, [{"orderId", "lines": [{"sku", "quantity"}]}], would be offered: one row per SKU with the
-- product (nulls if there is none), the pieces available, and whether they are enough. Those of one SKU count together.
-- Takes no lock. `store` is {"kind", "capture", "acceptWithinMs", "pricesIncludeTax", "country", "taxes",
-- "commissionPpm", "open", "opensAt"}.
create function catalog.offer(orders jsonb)
returns table (order_id uuid, sku text, title text, unit_price_minor bigint, currency text, requested bigint,
               available bigint, enough boolean, store_id uuid, weight_g integer, tax_class text, store jsonb)
language sql stable security definer set search_path = catalog, pg_temp as $$
  -- Looked at once for each store, and only if one of them has hours.
  with clocks as materialized (
    select st.id, opening(st.opening_hours, st.time_zone) as opening from stores st where st.by_the_clock and st.id in (
      select p.store_id from jsonb_path_query(orders, '$[*].lines[*].sku') as line(sku)
      join products p on p.sku = line.sku #>> '{}')
  )
  select line.order_id, line.sku, p.title, p.price_minor, p.currency, line.quantity, s.on_hand - s.reserved,
         coalesce(s.on_hand - s.reserved >= line.quantity, false), p.store_id, p.weight_g, p.tax_class,
         case when st.by_the_clock then st.terms || (select clock.opening from clocks clock where clock.id = st.id)
              else st.terms end
  from (
    select o."orderId" as order_id, l.sku, sum(l.quantity)::bigint as quantity
    from jsonb_to_recordset(orders) as o("orderId" uuid, lines jsonb)
    cross join lateral jsonb_to_recordset(o.lines) as l(sku text, quantity bigint)
    group by o."orderId", l.sku
  ) line left join products p on p.sku = line.sku left join stock s on s.sku = line.sku
  left join stores st on st.id = p.store_id
  order by line.order_id, line.sku
$$;

-- Reserves all lines of an order or none, order by order, and answers like offer(): an order has its pieces if every
-- row says enough. A second call for an order reserves nothing more and answers what the first did.
create function catalog.reserve(orders jsonb)
returns table (order_id uuid, sku text, title text, unit_price_minor bigint, currency text, requested bigint,
               available bigint, enough boolean, store_id uuid, weight_g integer, tax_class text, store jsonb)
language plpgsql security definer set search_path = catalog, pg_temp as $$
#variable_conflict use_column
declare
  order_ids uuid[];
  skus text[];
  quantities bigint[];
  single record;
begin
  select array_agg(l.order_id), array_agg(l.sku), array_agg(l.quantity) into order_ids, skus, quantities
  from (
    select o."orderId" as order_id, l.sku, sum(l.quantity)::bigint as quantity
    from jsonb_to_recordset(orders) as o("orderId" uuid, lines jsonb)
    cross join lateral jsonb_to_recordset(o.lines) as l(sku text, quantity bigint)
    where not exists (select from reservations r where r.order_id = o."orderId")
    group by o."orderId", l.sku order by o."orderId", l.sku
  ) l;

  perform from stock s where s.sku = any(skus) order by s.sku for update;
  -- Nearly always there is enough for all of them.
  if skus is not null and not take(order_ids, skus, quantities) and cardinality(skus) > 1 then
    for single in
      select array_agg(l.order_id) as order_ids, array_agg(l.sku) as skus, array_agg(l.quantity) as quantities
      from unnest(order_ids, skus, quantities) as l(order_id, sku, quantity)
      group by l.order_id having count(*) < cardinality(skus) order by l.order_id
    loop
      perform take(single.order_ids, single.skus, single.quantities);
    end loop;
  end if;

  return query
    with clocks as materialized (
      select st.id, opening(st.opening_hours, st.time_zone) as opening from stores st where st.by_the_clock and st.id in (
        select p.store_id from jsonb_path_query(orders, '$[*].lines[*].sku') as line(sku)
        join products p on p.sku = line.sku #>> '{}')
    )
    select o."orderId", l.sku, p.title, p.price_minor, p.currency, coalesce(r.quantity, l.quantity),
           s.on_hand - s.reserved + coalesce(r.quantity, 0),
           coalesce(r.state in ('held', 'committed'), s.on_hand - s.reserved >= l.quantity, false),
           p.store_id, p.weight_g, p.tax_class,
           case when st.by_the_clock then st.terms || (select clock.opening from clocks clock where clock.id = st.id)
                else st.terms end
    from jsonb_to_recordset(orders) as o("orderId" uuid, lines jsonb)
    cross join lateral (
      select line.sku, sum(line.quantity)::bigint as quantity
      from jsonb_to_recordset(o.lines) as line(sku text, quantity bigint) group by line.sku
    ) l
    left join reservations r on r.order_id = o."orderId" and r.sku = l.sku
    left join products p on p.sku = l.sku left join stock s on s.sku = l.sku
    left join stores st on st.id = p.store_id
    order by o."orderId", l.sku;
end $$;

revoke execute on function catalog.terms, catalog.opening, catalog.offer, catalog.reserve from public;
grant execute on function catalog.terms, catalog.opening to waybill_catalog;
grant execute on function catalog.offer, catalog.reserve to waybill_orders;
