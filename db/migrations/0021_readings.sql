-- What metrics read, each by one cheap statement: how much waits and since when, what died, and what was found when
-- somebody last looked whether everything holds.

create index dead_letters_open on journal.dead_letters (type) where state = 'open';

-- Open commands per service: due and not taken up, in work, or due later; and how long the oldest has been due. Of more
-- than 20,000 open ones, the oldest 20,000 are looked at.
create function ops.queues()
returns table (service text, due bigint, running bigint, later bigint, oldest_due_s double precision)
language sql stable security definer set search_path = journal, pg_temp as $$
  select split_part(c.type, '.', 1),
         count(*) filter (where c.state <> 'running' and c.due_at <= clock_timestamp()),
         count(*) filter (where c.state = 'running'),
         count(*) filter (where c.state <> 'running' and c.due_at > clock_timestamp()),
         coalesce(extract(epoch from clock_timestamp() - min(c.due_at) filter (
           where c.state <> 'running' and c.due_at <= clock_timestamp())), 0)
  from (
    select o.type, o.state, o.due_at from commands o where o.settled_at is null order by o.id limit 20000
  ) c group by 1
$$;

-- Open dead letters per service; of more than 20,000, that many.
create function ops.dead_letters() returns table (service text, open bigint)
language sql stable security definer set search_path = journal, pg_temp as $$
  select split_part(d.type, '.', 1), count(*)
  from (select o.type from dead_letters o where o.state = 'open' order by o.type limit 20000) d group by 1
$$;

-- What was found when each invariant was last looked at. One that could not be looked at in time keeps its row.
create table ops.findings (
  name text primary key,
  holds boolean not null,
  checked_at timestamptz not null
);
create table ops.looks (
  only_one boolean primary key default true check (only_one),
  begun_at timestamptz not null
);
insert into ops.looks (begun_at) values ('-infinity');

-- True for the one process that is to look now; the others have nothing to do for as long.
create function ops.begin_look(every_ms bigint) returns boolean
language plpgsql security definer set search_path = ops, pg_temp as $$
begin
  update looks set begun_at = clock_timestamp()
  where begun_at < clock_timestamp() - every_ms * interval '1 millisecond';
  return found;
end $$;

-- What breaks an invariant, the first few: whoever may look may look at all of them, also at those of later migrations.
create function ops.look(invariant text, since timestamptz, most integer) returns setof text
language plpgsql stable security definer set search_path = '' as $$
begin
  return query execute format('select what from invariants.%I($1) as what limit $2', invariant) using since, most;
end $$;

-- [{"name", "holds"}], holds being null for what could not be looked at in time; what is not named is no invariant any more.
create function ops.note_findings(found jsonb) returns void
language sql security definer set search_path = ops, pg_temp as $$
  delete from findings f where f.name not in (select n.name from jsonb_to_recordset(found) as n(name text));
  insert into findings as f
  select n.name, n.holds, clock_timestamp() from jsonb_to_recordset(found) as n(name text, holds boolean)
  where n.holds is not null order by n.name
  on conflict (name) do update set holds = excluded.holds, checked_at = excluded.checked_at
$$;

create function ops.read_findings() returns table (name text, holds boolean, checked_at timestamptz)
language sql stable security definer set search_path = ops, pg_temp as $$
  select f.name, f.holds, f.checked_at from findings f order by f.name
$$;

revoke execute on all functions in schema ops from public;

create or replace function ops.admit(service text) returns void language plpgsql as $$
begin
  execute format('grant usage on schema ops to %I', 'waybill_' || service);
  execute format('grant execute on function ops.report, ops.leave, ops.queues, ops.dead_letters, ops.begin_look, ops.look,
    ops.note_findings, ops.read_findings to %I', 'waybill_' || service);
end $$;
select ops.admit(service)
from unnest(array['accounts', 'catalog', 'orders', 'payments', 'shipping', 'notifications', 'media', 'edge']) as service;
revoke execute on function ops.report, ops.leave, ops.note_findings, ops.begin_look from waybill_edge;
