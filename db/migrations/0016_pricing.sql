-- What an order is made of: goods, discount, shipping and tax, whose each part is, and codes that take something off.

-- Orders of before are their goods and nothing else; their defaults say so, and no row is written anew. Checks are not
-- validated, for those rows cannot break them.
alter table orders.orders
  add column store_id uuid not null default '00000000-0000-7000-8000-000000000001',
  add column goods_minor bigint,                -- null, of old and from older releases: the total
  add column discount_minor bigint not null default 0,
  add column shipping_minor bigint not null default 0,
  add column tax_minor bigint not null default 0,  -- of all lines and the shipping
  add column prices_include_tax boolean not null default false,
  add column capture text not null default 'automatic',
  add column split jsonb,                       -- [{"account", "amountMinor"}] of the total; null: it is all of `sales`
  add column taxes jsonb not null default '[]', -- [{"name", "country", "ratePpm", "baseMinor", "taxMinor"}]
  add column shipping jsonb,                    -- {"rateId", "carrier", "service", "etaDays", "amountMinor", "destination"}
  add column discount_code text,
  add constraint orders_total_check check (
    goods_minor is null or total_minor = goods_minor - discount_minor + shipping_minor
      + case when prices_include_tax then 0 else tax_minor end) not valid,
  add constraint orders_parts_check check (
    discount_minor between 0 and coalesce(goods_minor, total_minor) and shipping_minor >= 0 and tax_minor >= 0) not valid,
  add constraint orders_capture_check check (capture in ('automatic', 'manual')) not valid;

alter table orders.lines
  add column discount_minor bigint not null default 0,
  add column tax_minor bigint not null default 0,
  add column tax_rate_ppm integer not null default 0,
  add constraint lines_parts_check check (
    discount_minor between 0 and total_minor and tax_minor >= 0 and tax_rate_ppm >= 0) not valid;

alter table orders.quotes
  add column store_id uuid not null default '00000000-0000-7000-8000-000000000001',
  add column goods_minor bigint,
  add column discount_minor bigint not null default 0,
  add column shipping_minor bigint not null default 0,
  add column tax_minor bigint not null default 0,
  add column prices_include_tax boolean not null default false,
  add column taxes jsonb not null default '[]',
  add column shipping jsonb,
  add column discount_code text,
  add constraint quotes_total_check check (
    goods_minor is null or total_minor = goods_minor - discount_minor + shipping_minor
      + case when prices_include_tax then 0 else tax_minor end) not valid;

alter table orders.quote_lines
  add column discount_minor bigint not null default 0,
  add column tax_minor bigint not null default 0,
  add column tax_rate_ppm integer not null default 0,
  add constraint quote_lines_parts_check check (
    discount_minor between 0 and total_minor and tax_minor >= 0 and tax_rate_ppm >= 0) not valid;

create table orders.discounts (
  id uuid primary key,                          -- the id of its orders.create-discount
  code text not null unique,
  store_id uuid,                                -- null: of every store
  rate_ppm integer check (rate_ppm between 1 and 1000000),
  amount_minor bigint check (amount_minor > 0),
  currency text,                                -- null: of every currency
  min_goods_minor bigint not null default 0 check (min_goods_minor >= 0),
  starts_at timestamptz not null,
  ends_at timestamptz,                          -- from then on no order may ask for it
  uses_max integer check (uses_max > 0),
  uses_per_customer_max integer check (uses_per_customer_max > 0),
  uses bigint not null default 0,               -- by orders that are not cancelled nor expired
  created_at timestamptz not null,
  check ((rate_ppm is null) <> (amount_minor is null)),
  check (currency is not null or amount_minor is null and min_goods_minor = 0),
  check (uses >= 0 and (uses_max is null or uses <= uses_max))
);

create table orders.discount_uses (
  order_id uuid primary key references orders.orders,
  discount_id uuid not null references orders.discounts,
  customer_id uuid not null,
  released boolean not null default false       -- the order was cancelled or has expired
);
create index discount_uses_of_customer on orders.discount_uses (discount_id, customer_id) where not released;

-- Whatever locks discounts does so in the order of their ids, after quotes and before stock.

-- Counts a use for each of these orders, [{"orderId", "discountId", "customerId"}], as far as there are uses left, and
-- answers the orders that got theirs. The caller saves them with their row of discount_uses. An order that is there
-- already gets none: it has counted its use.
create function orders.use_discounts(wanted jsonb) returns table (order_id uuid)
language plpgsql set search_path = orders, pg_temp as $$
#variable_conflict use_column
begin
  if wanted is null then return; end if;
  perform from discounts d
  where d.id in (select w."discountId" from jsonb_to_recordset(wanted) as w("discountId" uuid))
  order by d.id for update;
  -- Only now is it known what others have used: a statement sees what was there when it began.
  return query
  with asked as (
    select w."orderId" as order_id, d.id as discount_id, w."customerId" as customer_id, d.uses_max - d.uses as uses_left,
           d.uses_per_customer_max as of_one_max,
           row_number() over (partition by d.id, w."customerId" order by w."orderId") as nth_of_one
    from jsonb_to_recordset(wanted) as w("orderId" uuid, "discountId" uuid, "customerId" uuid)
    join discounts d on d.id = w."discountId"
    where not exists (select from orders o where o.id = w."orderId")
  ), fair as (
    select a.order_id, a.discount_id, a.uses_left,
           row_number() over (partition by a.discount_id order by a.order_id) as nth
    from asked a
    where a.of_one_max is null or a.nth_of_one + (
      select count(*) from discount_uses u
      where u.discount_id = a.discount_id and u.customer_id = a.customer_id and not u.released) <= a.of_one_max
  ), granted as (
    select f.order_id, f.discount_id from fair f where f.uses_left is null or f.nth <= f.uses_left
  ), counted as (
    update discounts d set uses = d.uses + g.uses
    from (select granted.discount_id, count(*) as uses from granted group by granted.discount_id) g
    where d.id = g.discount_id
  )
  select g.order_id from granted g;
end $$;

-- Gives back the uses of orders that have ended without being bought. Answers how many.
create function orders.release_discounts(order_ids uuid[]) returns integer
language plpgsql set search_path = orders, pg_temp as $$
declare released_now integer;
begin
  perform from discounts d
  where d.id in (select u.discount_id from discount_uses u where u.order_id = any(order_ids) and not u.released)
  order by d.id for update;
  if not found then return 0; end if;
  with ended as (
    update discount_uses u set released = true where u.order_id = any(order_ids) and not u.released
    returning u.discount_id
  ), per_discount as (
    select ended.discount_id, count(*)::integer as uses from ended group by ended.discount_id
  ), counted as (
    update discounts d set uses = d.uses - e.uses from per_discount e where d.id = e.discount_id returning e.uses
  )
  select sum(c.uses) into released_now from counted c;
  return released_now;
end $$;

revoke execute on function orders.use_discounts, orders.release_discounts from public;
grant execute on function orders.use_discounts, orders.release_discounts to waybill_orders;

-- What must hold of all that.

create or replace function invariants.totals(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'order ' || o.id from orders.orders o
  cross join lateral (
    select sum(l.total_minor)::bigint as goods, sum(l.discount_minor)::bigint as discount, sum(l.tax_minor)::bigint as tax
    from orders.lines l where l.order_id = o.id
  ) l
  where o.id >= invariants.first_id(since) and (
    (coalesce(o.goods_minor, o.total_minor), o.discount_minor) is distinct from (l.goods, l.discount)
    or o.total_minor <> l.goods - l.discount + o.shipping_minor + case when o.prices_include_tax then 0 else o.tax_minor end
    or o.tax_minor <> (select coalesce(sum((t ->> 'taxMinor')::bigint), 0) from jsonb_array_elements(o.taxes) t)
    or o.tax_minor < l.tax or o.tax_minor > l.tax and o.shipping_minor = 0
    or o.total_minor <> (select coalesce(sum((s ->> 'amountMinor')::bigint), 0) from jsonb_array_elements(o.split) s)
      and o.split is not null
    or o.shipping_minor <> coalesce((o.shipping ->> 'amountMinor')::bigint, 0))
$$;
comment on function invariants.totals is
  'The total of each order is its goods less the discount, plus shipping, plus tax unless prices include it; each of them, and what is whose, is exactly the sum of its parts.';

create or replace function invariants.quotes(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'quote ' || q.id from orders.quotes q left join orders.orders o on o.id = q.order_id
  cross join lateral (
    select sum(l.total_minor)::bigint as goods, sum(l.discount_minor)::bigint as discount
    from orders.quote_lines l where l.quote_id = q.id
  ) l
  where q.id >= invariants.first_id(since) and (
    (coalesce(q.goods_minor, q.total_minor), q.discount_minor) is distinct from (l.goods, l.discount)
    or q.total_minor <> l.goods - l.discount + q.shipping_minor + case when q.prices_include_tax then 0 else q.tax_minor end
    or q.order_id is not null
      and (o.customer_id, o.total_minor, o.currency, o.discount_minor, o.shipping_minor, o.tax_minor)
        is distinct from (q.customer_id, q.total_minor, q.currency, q.discount_minor, q.shipping_minor, q.tax_minor))
$$;
comment on function invariants.quotes is
  'The total of each quote is the sum of its parts, and the order that used it is its customer''s, at that total.';

create function invariants.discounts(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'discount ' || d.code from orders.discounts d
  where d.uses <> (select count(*) from orders.discount_uses u where u.discount_id = d.id and not u.released)
    or d.uses > d.uses_max
    or d.uses_per_customer_max < any (
      select count(*) from orders.discount_uses u where u.discount_id = d.id and not u.released group by u.customer_id)
  union all
  select 'order ' || o.id from orders.orders o
  left join (orders.discount_uses u join orders.discounts d on d.id = u.discount_id) on u.order_id = o.id
  where o.id >= invariants.first_id(since) and (
    d.code is distinct from o.discount_code
    or u.released <> (o.state in ('cancelled', 'expired')) or u.customer_id <> o.customer_id)
$$;
comment on function invariants.discounts is
  'Each discount was used by as many orders as it counts, no more than it may be, and those that ended unpaid or cancelled have given their use back.';

revoke execute on function invariants.discounts from public;
grant execute on function invariants.discounts to waybill_edge;
