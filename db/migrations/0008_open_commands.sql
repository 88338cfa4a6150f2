-- True while such a command of this actor is accepted and not settled. What it will make, an order for instance, is
-- not there yet: whoever looks for that in vain asks this before saying that it does not exist.
create function journal.is_open(command uuid, of_type text, of_actor text) returns boolean
language sql stable security definer set search_path = journal, pg_temp as $$
  select exists (
    select from journal.commands c
    where c.id = command and c.type = of_type and c.actor_id = of_actor and c.settled_at is null)
$$;
revoke execute on function journal.is_open from public;
grant execute on function journal.is_open to waybill_orders;
