-- The journal: every accepted command, its attempts, its events, and what died.
-- Services reach it through the functions below and through nothing else.

create schema journal;
revoke all on schema public from public;

-- Types, not CHECKs: a CHECK is parsed again by every statement that writes, which cost a sixth of a settlement.
create type journal.state as enum ('accepted', 'running', 'waiting', 'retrying', 'succeeded', 'rejected', 'dead');
create type journal.outcome as enum ('waiting', 'retrying', 'dead', 'lost');

create table journal.commands (
  id uuid primary key,                          -- UUIDv7: time-ordered, so the table can be partitioned by it
  type text not null,                           -- 'orders.place'
  input jsonb not null,
  actor_id text,                                -- who asked, or who asked for the command this one follows
  scopes text not null default '',              -- what the one who asked was allowed, separated by spaces
  state journal.state not null default 'accepted',
  fence integer not null default 0,             -- one more with every claim; a write under an older one changes nothing
  failures smallint not null default 0,         -- attempts that threw
  crashes smallint not null default 0,          -- attempts that never ended
  worker text,                                  -- who holds the current claim
  started_at timestamptz,                       -- when it was claimed
  due_at timestamptz not null,                  -- not to be worked before
  because text,                                 -- why it waits
  result jsonb,                                 -- output, refusal or error, by state
  parent_id uuid,
  event_id uuid,                                -- the event that called for it
  redrive_of uuid,                              -- the dead command that it repeats
  correlation_id uuid not null,                 -- the command that started it all
  traceparent text not null,                    -- W3C trace context
  accepted_at timestamptz not null default now(),
  settled_at timestamptz                        -- there if the state is final
) with (fillfactor = 70);
create index commands_open on journal.commands (id) where settled_at is null;
create index commands_story on journal.commands (correlation_id);

create table journal.idempotency_keys (
  actor_id text not null,
  type text not null,
  key text not null,
  fingerprint text not null,
  command_id uuid not null,
  accepted_at timestamptz not null default now(),
  primary key (actor_id, type, key)
);
create index idempotency_keys_age on journal.idempotency_keys using brin (accepted_at);

-- Attempts that ended, but not well. One that runs, or that ended with 'succeeded' or 'rejected', is its command's
-- last, and in its command's own row: `fence`, `worker`, `started_at`, `settled_at`, `state`.
create table journal.attempts (
  command_id uuid not null,
  fence integer not null,
  worker text not null,
  started_at timestamptz not null,
  ended_at timestamptz,                         -- null: it never ended
  outcome journal.outcome not null,
  error jsonb,                                  -- {name, message, stack}
  primary key (command_id, fence)
);

create table journal.events (
  id uuid primary key,
  type text not null,                           -- 'order.paid'
  payload jsonb not null,
  command_id uuid,                              -- the command that emitted it
  correlation_id uuid not null,
  emitted_at timestamptz not null default now()
);
create index events_story on journal.events (correlation_id);

create table journal.dead_letters (
  command_id uuid primary key,
  type text not null,
  fingerprint text not null,                    -- equal for failures of one cause
  error jsonb not null,
  state text not null default 'open' check (state in ('open', 'redriven', 'discarded')),
  died_at timestamptz not null default now(),
  closed_at timestamptz
);
create index dead_letters_groups on journal.dead_letters (fingerprint, died_at);

-- Writes the rows of `follow` and `emit` that come with a settlement, or with a write that is no command's.
create function journal.write_commands(batch jsonb) returns void
language sql security definer set search_path = journal, pg_temp as $$
  insert into journal.commands
    (id, type, input, actor_id, scopes, parent_id, event_id, redrive_of, correlation_id, traceparent, due_at)
  select id, type, input, actor_id, coalesce(scopes, ''), parent_id, event_id, redrive_of, correlation_id, traceparent,
         now() + coalesce(delay_ms, 0) * interval '1 millisecond'
  from jsonb_to_recordset(batch) as new(id uuid, type text, input jsonb, actor_id text, scopes text, parent_id uuid,
       event_id uuid, redrive_of uuid, correlation_id uuid, traceparent text, delay_ms bigint)
$$;

create function journal.write_events(batch jsonb) returns void
language sql security definer set search_path = journal, pg_temp as $$
  insert into journal.events (id, type, payload, command_id, correlation_id)
  select id, type, payload, command_id, correlation_id
  from jsonb_to_recordset(batch) as new(id uuid, type text, payload jsonb, command_id uuid, correlation_id uuid)
$$;

-- The functions of the hot path never scan a table: a batch is taken for a hundred rows by the planner, and reading
-- all commands once looks cheaper to it than finding a few by key, until there are very many.

-- Accepts a batch, and answers only for those that it did not accept, because an earlier request had their key:
-- that request's command stands for them ('replayed'), or it was another request ('key_reused').
create function journal.accept(batch jsonb) returns table (id uuid, command_id uuid, verdict text)
language plpgsql security definer set search_path = journal, pg_temp set enable_seqscan = off as $$
declare
  accepted integer;
  known integer;
begin
  with new as materialized (
    select * from jsonb_to_recordset(batch) as r(id uuid, type text, input jsonb, actor_id text, scopes text,
      key text, fingerprint text, traceparent text)
  ), keys as (
    insert into journal.idempotency_keys as k (actor_id, type, key, fingerprint, command_id)
    select new.actor_id, new.type, new.key, new.fingerprint, new.id from new where new.key is not null
    order by new.actor_id, new.type, new.key    -- one lock order, so that two edges cannot deadlock
    on conflict do nothing
    returning k.command_id
  )
  insert into journal.commands as c (id, type, input, actor_id, scopes, correlation_id, traceparent, due_at)
  select new.id, new.type, new.input, new.actor_id, coalesce(new.scopes, ''), new.id, new.traceparent, now() from new
  where new.key is null or new.id in (select keys.command_id from keys);

  get diagnostics accepted = row_count;
  if accepted < jsonb_array_length(batch) then
    -- A statement of its own, so that it sees what the winner of a key has just committed.
    return query
    select new.id, k.command_id, case when k.fingerprint = new.fingerprint then 'replayed' else 'key_reused' end
    from jsonb_to_recordset(batch) as new(id uuid, type text, actor_id text, key text, fingerprint text)
    cross join lateral (
      select k.command_id, k.fingerprint from journal.idempotency_keys k
      where k.actor_id = new.actor_id and k.type = new.type and k.key = new.key and k.command_id <> new.id offset 0
    ) k;
    get diagnostics known = row_count;
    if accepted + known <> jsonb_array_length(batch) then
      raise exception 'a key was forgotten while it was asked for';  -- tried again, it is new
    end if;
  end if;
end $$;

-- Claims what is due: `fence` is the new fencing number, or null for a command that is not due yet or is locked.
-- A settled or unknown id is not answered. A claim that was never settled is noted as a lost attempt.
create function journal.claim(ids uuid[], claimant text)
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
  -- Locked: being settled, perhaps by a worker that stands still in the middle of it. Nobody waits for that.
  select c.id, c.type, null, null, null, null, null, null, null, null, null, null, 1000 from journal.commands c
  where c.id = any(ids) and c.settled_at is null and (c.worker, c.started_at) is distinct from (claimant, moment)
    and not exists (select from found where found.id = c.id);
end $$;

-- Settles a batch of attempts and writes what follows from them. Answers the ids whose fence held;
-- for the others nothing changes.
create function journal.settle(batch jsonb) returns setof uuid
language plpgsql security definer set search_path = journal, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
begin
  return query
  with given as materialized (
    select * from jsonb_to_recordset(batch) as g(id uuid, fence integer, state journal.state, result jsonb, error jsonb,
      because text, delay_ms bigint, fingerprint text, commands jsonb, events jsonb)
  ), settled as (
    update journal.commands c
    set state = given.state,
        result = given.result,
        because = given.because,
        failures = c.failures + (given.state in ('retrying', 'dead'))::int,
        due_at = case when given.delay_ms is null then c.due_at
                      else clock_timestamp() + given.delay_ms * interval '1 millisecond' end,
        settled_at = case when given.state in ('succeeded', 'rejected', 'dead') then clock_timestamp() end
    from given
    where c.id = any(array(select given.id from given))
      and c.id = given.id and c.fence = given.fence and c.state = 'running'
    returning c.id, c.type, c.fence, c.worker, c.started_at, c.state, c.actor_id, c.correlation_id,
              given.error, given.fingerprint, given.commands, given.events
  ), attempted as (
    insert into journal.attempts (command_id, fence, worker, started_at, ended_at, outcome, error)
    select id, fence, worker, started_at, clock_timestamp(), state::text::journal.outcome, error from settled
    where state in ('waiting', 'retrying', 'dead')
  ), followed as (
    insert into journal.commands
      (id, type, input, actor_id, parent_id, event_id, correlation_id, traceparent, due_at)
    select new.id, new.type, new.input, settled.actor_id, settled.id, new.event_id, settled.correlation_id,
           new.traceparent, now() + coalesce(new.delay_ms, 0) * interval '1 millisecond'
    from settled cross join lateral jsonb_to_recordset(settled.commands)
      as new(id uuid, type text, input jsonb, event_id uuid, traceparent text, delay_ms bigint)
  ), emitted as (
    insert into journal.events (id, type, payload, command_id, correlation_id)
    select new.id, new.type, new.payload, settled.id, settled.correlation_id
    from settled cross join lateral jsonb_to_recordset(settled.events) as new(id uuid, type text, payload jsonb)
  ), died as (
    insert into journal.dead_letters (command_id, type, fingerprint, error)
    select id, type, fingerprint, error from settled where state = 'dead'
  )
  select id from settled;
end $$;

-- Settles one attempt in the transaction of its effects; it succeeded, or waits. Raises WB001 if the fence does not
-- hold, so that the commit that follows undoes the effects.
create function journal.settle_effects(settlement jsonb) returns void
language plpgsql security definer set search_path = journal, pg_temp set enable_seqscan = off as $$
declare
  given record;
  held record;
begin
  select * into given from jsonb_to_record(settlement) as g(id uuid, fence integer, state journal.state, result jsonb,
    because text, delay_ms bigint, commands jsonb, events jsonb);
  update journal.commands c
  set state = given.state,
      result = given.result,
      because = given.because,
      due_at = case when given.delay_ms is null then c.due_at
                    else clock_timestamp() + given.delay_ms * interval '1 millisecond' end,
      settled_at = case when given.state = 'succeeded' then clock_timestamp() end
  where c.id = given.id and c.fence = given.fence and c.state = 'running'
  returning c.id, c.fence, c.worker, c.started_at, c.actor_id, c.correlation_id into held;
  if not found then
    raise exception 'another worker has taken the command over' using errcode = 'WB001';
  end if;
  if given.state <> 'succeeded' then
    insert into journal.attempts (command_id, fence, worker, started_at, ended_at, outcome)
    values (held.id, held.fence, held.worker, held.started_at, clock_timestamp(), given.state::text::journal.outcome);
  end if;
  if given.commands <> '[]' then
    insert into journal.commands
      (id, type, input, actor_id, parent_id, event_id, correlation_id, traceparent, due_at)
    select new.id, new.type, new.input, held.actor_id, held.id, new.event_id, held.correlation_id,
           new.traceparent, now() + coalesce(new.delay_ms, 0) * interval '1 millisecond'
    from jsonb_to_recordset(given.commands)
      as new(id uuid, type text, input jsonb, event_id uuid, traceparent text, delay_ms bigint);
  end if;
  if given.events <> '[]' then
    insert into journal.events (id, type, payload, command_id, correlation_id)
    select new.id, new.type, new.payload, held.id, held.correlation_id
    from jsonb_to_recordset(given.events) as new(id uuid, type text, payload jsonb);
  end if;
end $$;

-- Settles several attempts in the transaction that their effects share: all, or none (WB001).
create function journal.settle_shared(batch jsonb) returns void
language plpgsql security definer set search_path = journal, pg_temp as $$
begin
  if (select count(*) from journal.settle(batch)) < jsonb_array_length(batch) then
    raise exception 'another worker has taken one of the commands over' using errcode = 'WB001';
  end if;
end $$;

-- What the queue may have lost: open commands that have been due for a while, a page at a time. One that was
-- claimed less than `running_ms` ago is still its worker's.
create function journal.overdue(after uuid, grace_ms bigint, running_ms bigint, page integer)
returns table (id uuid, type text, overdue_ms bigint)
language sql security definer set search_path = journal, pg_temp as $$
  select c.id, c.type, (extract(epoch from clock_timestamp() - c.due_at) * 1000)::bigint from journal.commands c
  where c.settled_at is null and c.id > after and c.due_at < clock_timestamp() - grace_ms * interval '1 millisecond'
    and (c.state <> 'running' or c.started_at < clock_timestamp() - running_ms * interval '1 millisecond')
  order by c.id limit page
$$;

create function journal.forget_keys(older_than_ms bigint) returns bigint
language sql security definer set search_path = journal, pg_temp as $$
  with gone as (
    delete from journal.idempotency_keys
    where accepted_at < now() - older_than_ms * interval '1 millisecond' returning 1
  ) select count(*) from gone
$$;

-- Makes a service's role and schema. What the migration creates in it afterwards, the role may read and write.
create function journal.create_service(service text) returns void language plpgsql as $$
declare service_role text := 'waybill_' || service;
begin
  begin
    execute format('create role %I nologin', service_role);
  exception when duplicate_object or unique_violation then null;  -- roles belong to the cluster, not the database
  end;
  execute format('create schema %I', service);
  execute format('grant usage on schema %I to %I', service, service_role);
  execute format('alter default privileges in schema %I grant select, insert, update, delete on tables to %I', service, service_role);
  execute format('alter default privileges in schema %I grant usage on sequences to %I', service, service_role);
  execute format('grant usage on schema journal to %I', service_role);
  execute format('grant execute on function journal.claim, journal.settle, journal.settle_effects, journal.settle_shared, journal.overdue, journal.forget_keys,
    journal.accept, journal.write_commands, journal.write_events to %I', service_role);
end $$;

revoke execute on all functions in schema journal from public;

-- The edge accepts commands and reads their stories.
do $$ begin
  create role waybill_edge nologin;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema journal to waybill_edge;
grant execute on function journal.accept to waybill_edge;
grant select on journal.commands, journal.attempts, journal.events to waybill_edge;
