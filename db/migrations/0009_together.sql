-- Many orders in one call: what customers do at the same time costs one statement, and a product that everybody wants
-- is locked once for all of them.

drop function catalog.offer(jsonb);
drop function catalog.reserve(uuid, jsonb);

-- What each of these orders, [{"orderId", "lines": [{"sku", "quantity"}]}], would be offered: one row per SKU with the
-- product (nulls if there is none), the pieces available, and whether they are enough. Those of one SKU count together.
-- Takes no lock.
create function catalog.offer(orders jsonb)
returns table (order_id uuid, sku text, title text, unit_price_minor bigint, currency text, requested bigint,
               available bigint, enough boolean)
language sql stable security definer set search_path = catalog, pg_temp as $$
  select line.order_id, line.sku, p.title, p.price_minor, p.currency, line.quantity, s.on_hand - s.reserved,
         coalesce(s.on_hand - s.reserved >= line.quantity, false)
  from (
    select o."orderId" as order_id, l.sku, sum(l.quantity)::bigint as quantity
    from jsonb_to_recordset(orders) as o("orderId" uuid, lines jsonb)
    cross join lateral jsonb_to_recordset(o.lines) as l(sku text, quantity bigint)
    group by o."orderId", l.sku
  ) line left join products p on p.sku = line.sku left join stock s on s.sku = line.sku
  order by line.order_id, line.sku
$$;

-- Takes these pieces from stock for their orders, all of them or none. The rows of stock are locked already.
create function catalog.take(order_ids uuid[], skus text[], quantities bigint[]) returns boolean
language plpgsql set search_path = catalog, pg_temp as $$
begin
  if exists (
    select from (
      select line.sku, sum(line.quantity) as quantity from unnest(skus, quantities) as line(sku, quantity) group by line.sku
    ) wanted left join stock s on s.sku = wanted.sku
    where s.on_hand - s.reserved >= wanted.quantity is not true
  ) then return false; end if;

  with held as (
    insert into reservations (order_id, sku, quantity)
    select * from unnest(order_ids, skus, quantities) returning sku, quantity
  )
  update stock s set reserved = s.reserved + taken.quantity
  from (select held.sku, sum(held.quantity)::bigint as quantity from held group by held.sku) taken
  where s.sku = any(skus) and s.sku = taken.sku;
  return true;
end $$;
revoke execute on function catalog.take from public;

-- Reserves all lines of an order or none, order by order, and answers like offer(): an order has its pieces if every
-- row says enough. A second call for an order reserves nothing more and answers what the first did.
create function catalog.reserve(orders jsonb)
returns table (order_id uuid, sku text, title text, unit_price_minor bigint, currency text, requested bigint,
               available bigint, enough boolean)
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
    select o."orderId", l.sku, p.title, p.price_minor, p.currency, coalesce(r.quantity, l.quantity),
           s.on_hand - s.reserved + coalesce(r.quantity, 0),
           coalesce(r.state in ('held', 'committed'), s.on_hand - s.reserved >= l.quantity, false)
    from jsonb_to_recordset(orders) as o("orderId" uuid, lines jsonb)
    cross join lateral (
      select line.sku, sum(line.quantity)::bigint as quantity
      from jsonb_to_recordset(o.lines) as line(sku text, quantity bigint) group by line.sku
    ) l
    left join reservations r on r.order_id = o."orderId" and r.sku = l.sku
    left join products p on p.sku = l.sku left join stock s on s.sku = l.sku
    order by o."orderId", l.sku;
end $$;

revoke execute on function catalog.offer, catalog.reserve from public;
grant execute on function catalog.offer, catalog.reserve to waybill_orders;

-- Nobody asks for it, and Postgres took it for the shortest way to a delivery, past all that were unsettled once.
drop index notifications.deliveries_unsettled;

-- A job may carry several commands, and a command may have two jobs for a while. So a job that comes to a worker does
-- not by itself mean that whoever holds the command has died: only one that another worker has left behind does.
drop function journal.claim(uuid[], text);

-- Claims what is due: `fence` is the new fencing number, or null for a command that is not due yet or is locked or held.
-- A settled or unknown id is not answered. What another worker holds is taken from it if it is one of `heirs` (null: all)
-- or was claimed `running_ms` ago; that claim, which was never settled, is noted as a lost attempt.
create function journal.claim(ids uuid[], claimant text, heirs uuid[] default null, running_ms bigint default 35000)
returns table (id uuid, type text, input jsonb, actor_id text, scopes text, fence integer, failures smallint,
  crashes smallint, correlation_id uuid, traceparent text, accepted_at timestamptz, now timestamptz, due_in_ms bigint)
language plpgsql security definer set search_path = journal, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
declare
  moment timestamptz := clock_timestamp();
  claimed integer;
begin
  -- Nearly always all of them are due and nobody's.
  return query
  update journal.commands c
  set fence = c.fence + 1, state = 'running', worker = claimant, started_at = moment, because = null
  from (
    select c.id from journal.commands c
    where c.id = any(ids) and c.settled_at is null and c.state <> 'running' and c.due_at <= moment
    order by c.id for update skip locked
  ) free
  where c.id = any(ids) and c.id = free.id
  returning c.id, c.type, c.input, c.actor_id, c.scopes, c.fence, c.failures, c.crashes, c.correlation_id,
    c.traceparent, c.accepted_at, c.started_at, 0::bigint;
  get diagnostics claimed = row_count;
  if claimed = cardinality(ids) then return; end if;

  return query
  with found as materialized (
    select c.id, c.state, c.fence, c.worker, c.started_at, c.due_at, c.type from journal.commands c
    where c.id = any(ids) and c.settled_at is null
      and (c.worker, c.started_at) is distinct from (claimant, moment)
      and (c.state <> 'running' or c.worker = claimant or c.id = any(coalesce(heirs, ids))
           or c.started_at < clock_timestamp() - running_ms * interval '1 millisecond')
    order by c.id for update skip locked
  ), lost as (
    insert into journal.attempts (command_id, fence, worker, started_at, outcome)
    select found.id, found.fence, found.worker, found.started_at, 'lost' from found where found.state = 'running'
  ), claimed as (
    update journal.commands c
    set fence = c.fence + 1, state = 'running',
        -- A worker that claims again what it holds has not died: it never got the answer to its first claim.
        crashes = c.crashes + (c.state = 'running' and c.worker <> claimant)::int,
        worker = claimant, started_at = clock_timestamp(), because = null
    from found where c.id = any(ids) and c.id = found.id and found.due_at <= clock_timestamp()
    returning c.*
  )
  select found.id, found.type, claimed.input, claimed.actor_id, claimed.scopes, claimed.fence, claimed.failures,
         claimed.crashes, claimed.correlation_id, claimed.traceparent, claimed.accepted_at, claimed.started_at,
         ceil(greatest(0, extract(epoch from found.due_at - clock_timestamp()) * 1000))::bigint
  from found left join claimed on claimed.id = found.id
  union all
  -- Held by another worker, or locked: being settled, perhaps by one that stands still in the middle of it. Nobody
  -- waits for that.
  select c.id, c.type, null, null, null, null, null, null, null, null, null, null, 1000 from journal.commands c
  where c.id = any(ids) and c.settled_at is null and (c.worker, c.started_at) is distinct from (claimant, moment)
    and not exists (select from found where found.id = c.id);
end $$;
revoke execute on function journal.claim from public;
grant execute on function journal.claim to waybill_accounts, waybill_catalog, waybill_orders, waybill_payments,
  waybill_notifications, waybill_media;
