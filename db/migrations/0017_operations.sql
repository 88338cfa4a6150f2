-- What operators see and switch: which processes run, what they call and whether it works, how long the queues are,
-- whether everything that must hold does.

create schema ops;

-- Every process of services says every few seconds that it is there, and what its breakers are.
create table ops.processes (
  name text primary key,                        -- host, process id and chance
  services text[] not null,
  breakers jsonb not null,                      -- [{"name", "state", ...}]
  seen_at timestamptz not null
);

-- What operators ordered. The last word about a breaker holds, also for processes that start later.
create table ops.breaker_orders (
  id bigint generated always as identity primary key,
  breaker text not null,
  action text not null check (action in ('open', 'reset')),
  because text,
  actor_id text not null,
  ordered_at timestamptz not null default now()
);
create index breaker_orders_last on ops.breaker_orders (breaker, id desc);

-- A process tells of itself, and is told the last order about each of its breakers. Who fell silent an hour ago is
-- forgotten. A report that is lost with a crash is made again, so nobody waits until it is on disk.
create function ops.report(process text, of_services text[], its_breakers jsonb)
returns table (id bigint, breaker text, action text, because text)
language plpgsql security definer set search_path = ops, pg_temp as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  insert into processes as p values (process, of_services, its_breakers, clock_timestamp())
  on conflict (name) do update set services = excluded.services, breakers = excluded.breakers, seen_at = excluded.seen_at;
  delete from processes p where p.seen_at < clock_timestamp() - interval '1 hour';
  return query
    select last.id, known.name, last.action, last.because
    from jsonb_to_recordset(its_breakers) as known(name text) cross join lateral (
      select o.id, o.action, o.because from breaker_orders o where o.breaker = known.name order by o.id desc limit 1
    ) last;
end $$;

create function ops.leave(process text) returns void
language sql security definer set search_path = ops, pg_temp as $$
  delete from processes p where p.name = process
$$;

-- Writes down an order; false if no process has such a breaker.
create function ops.order_breaker(of_breaker text, do_action text, why text, actor text) returns boolean
language plpgsql security definer set search_path = ops, pg_temp as $$
begin
  insert into breaker_orders (breaker, action, because, actor_id)
  select of_breaker, do_action, why, actor
  where exists (select from processes p where p.breakers @> jsonb_build_array(jsonb_build_object('name', of_breaker)));
  return found;
end $$;

revoke execute on all functions in schema ops from public;

create function ops.admit(service text) returns void language plpgsql as $$
begin
  execute format('grant usage on schema ops to %I', 'waybill_' || service);
  execute format('grant execute on function ops.report, ops.leave to %I', 'waybill_' || service);
end $$;
revoke execute on function ops.admit from public;
select ops.admit(service)
from unnest(array['accounts', 'catalog', 'orders', 'payments', 'shipping', 'notifications', 'media']) as service;

grant usage on schema ops to waybill_edge;
grant select on ops.processes, ops.breaker_orders to waybill_edge;
grant execute on function ops.order_breaker to waybill_edge;
