-- Products, prices and stock. What is sold is reserved here, inside the transaction of whoever sells it.

select journal.create_service('catalog');

create table catalog.products (
  id uuid primary key,
  sku text not null unique,
  title text not null,
  price_minor bigint not null check (price_minor >= 0),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  created_at timestamptz not null
);

-- Apart from the product, for this row is the hot one: half-empty pages keep its updates in place.
create table catalog.stock (
  sku text primary key references catalog.products (sku),
  on_hand bigint not null,
  reserved bigint not null default 0 check (reserved >= 0),
  check (reserved <= on_hand)
) with (fillfactor = 50);

create table catalog.reservations (
  order_id uuid not null,
  sku text not null,                            -- a row of stock: only reserve() writes here, after it has updated that row
  quantity bigint not null check (quantity > 0),
  state text not null default 'held' check (state in ('held', 'committed', 'released')),
  primary key (order_id, sku)
) with (fillfactor = 80);

-- The functions never scan a table: each touches a few rows by key, and a plan that was made while the tables were
-- small would be kept when they are large.

-- What an order of these lines, [{"sku", "quantity"}], would be offered: one row per SKU with the product (nulls if
-- there is none), the pieces available, and whether they are enough. Those of one SKU count together. Takes no lock.
create function catalog.offer(lines jsonb)
returns table (sku text, title text, unit_price_minor bigint, currency text, requested bigint, available bigint,
               enough boolean)
language sql stable security definer set search_path = catalog, pg_temp set enable_seqscan = off as $$
  select line.sku, p.title, p.price_minor, p.currency, line.quantity, s.on_hand - s.reserved,
         coalesce(s.on_hand - s.reserved >= line.quantity, false)
  from (
    select l.sku, sum(l.quantity)::bigint as quantity
    from jsonb_to_recordset(lines) as l(sku text, quantity bigint) group by l.sku
  ) line left join products p on p.sku = line.sku left join stock s on s.sku = line.sku
  order by line.sku
$$;

-- Whatever locks stock here does so in the order of SKUs, so that orders with the same products cannot deadlock.

-- Reserves all lines of an order or none, and answers like offer(): the order has its pieces if every row says
-- enough. A second call for an order reserves nothing more and answers what the first did.
create function catalog.reserve(for_order uuid, lines jsonb)
returns table (sku text, title text, unit_price_minor bigint, currency text, requested bigint, available bigint,
               enough boolean)
language plpgsql security definer set search_path = catalog, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
declare
  line record;
  short boolean := false;
begin
  if exists (select from reservations r where r.order_id = for_order) then
    return query
      select r.sku, p.title, p.price_minor, p.currency, r.quantity, s.on_hand - s.reserved,
             r.state in ('held', 'committed')
      from reservations r join products p on p.sku = r.sku join stock s on s.sku = r.sku
      where r.order_id = for_order order by r.sku;
    return;
  end if;

  for line in
    select l.sku, sum(l.quantity)::bigint as quantity
    from jsonb_to_recordset(lines) as l(sku text, quantity bigint) group by l.sku order by l.sku
  loop
    sku := line.sku;
    requested := line.quantity;
    enough := false;
    loop
      if not short then
        with taken as (
          update stock s set reserved = s.reserved + line.quantity
          from products p
          where s.sku = line.sku and p.sku = s.sku and s.on_hand - s.reserved >= line.quantity
          returning p.title, p.price_minor, p.currency, s.on_hand - s.reserved + line.quantity as available
        ), held as (
          insert into reservations (order_id, sku, quantity) select for_order, line.sku, line.quantity from taken
        )
        select taken.title, taken.price_minor, taken.currency, taken.available
        into title, unit_price_minor, currency, available from taken;
        enough := found;
        exit when enough;
      end if;
      select p.title, p.price_minor, p.currency, s.on_hand - s.reserved
      into title, unit_price_minor, currency, available
      from products p join stock s on s.sku = p.sku where p.sku = line.sku;
      exit when not found;
      enough := available >= line.quantity;
      exit when short or not enough;            -- else pieces came back since the update: try again
    end loop;
    short := short or not enough;
    return next;
  end loop;

  if short then
    with undone as (delete from reservations r where r.order_id = for_order returning r.sku, r.quantity)
    update stock s set reserved = s.reserved - undone.quantity from undone where s.sku = undone.sku;
  end if;
end $$;

-- Sells what the order holds. The pieces stay reserved, for they are on the shelf until they are shipped: the hot row
-- of stock is left alone, and a count of the shelf cannot sell them again. Answers how many reservations it sold now.
create function catalog.commit(for_order uuid) returns integer
language plpgsql security definer set search_path = catalog, pg_temp set enable_seqscan = off as $$
declare lines integer;
begin
  update reservations set state = 'committed' where order_id = for_order and state = 'held';
  get diagnostics lines = row_count;
  return lines;
end $$;

-- Gives back what the orders hold or have bought. Answers how many reservations it ended now.
create function catalog.release(for_orders uuid[]) returns integer
language plpgsql security definer set search_path = catalog, pg_temp set enable_seqscan = off as $$
declare
  line record;
  lines integer := 0;
begin
  for line in
    with ended as (
      update reservations set state = 'released'
      where order_id = any(for_orders) and state in ('held', 'committed')
      returning sku, quantity
    )
    select sku, count(*) as reservations, sum(quantity)::bigint as quantity from ended group by sku order by sku
  loop
    update stock set reserved = reserved - line.quantity where sku = line.sku;
    lines := lines + line.reservations;
  end loop;
  return lines;
end $$;

revoke execute on all functions in schema catalog from public;
