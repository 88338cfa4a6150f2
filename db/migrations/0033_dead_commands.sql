-- Which order a dead command belongs to is found by key, whatever its input holds.

drop function journal.dead_since(timestamptz);

-- Open dead letters since a moment, with the ids that may be of the order they belong to: the one that the command or the
-- one that started it names, the one of the payment that it names, or what started it, if that placed the order.
create function journal.dead_since(since timestamptz)
returns table (command_id uuid, type text, because text, died_at timestamptz, may_be uuid[])
language sql stable security definer set search_path = journal, pg_temp as $$
  select d.command_id, d.type, d.error ->> 'message', d.died_at, array(
    select id::uuid from unnest(array[c.input ->> 'orderId', charge.input ->> 'orderId', root.input ->> 'orderId',
      c.correlation_id::text]) as id where pg_input_is_valid(id, 'uuid'))
  from journal.dead_letters d join journal.commands c on c.id = d.command_id
  left join journal.commands root on root.id = c.correlation_id
  -- A payment has the id of its charge.
  left join journal.commands charge on charge.id =
    case when pg_input_is_valid(c.input ->> 'paymentId', 'uuid') then (c.input ->> 'paymentId')::uuid end
  where d.state = 'open' and d.died_at >= since
$$;
revoke execute on function journal.dead_since from public;
grant execute on function journal.dead_since to waybill_orders;

-- Whether the money of a return went back is asked for a week.
create index returns_decided on orders.returns (decided_at) where state = 'received' and refund_minor > 0;
