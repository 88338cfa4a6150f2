-- What is paid at the same time is sold by one statement: each costs the checks of the table once.

drop function catalog.commit(uuid);

-- Sells what the orders hold. The pieces stay reserved, for they are on the shelf until they are shipped: the hot row of
-- stock is left alone, and a count of the shelf cannot sell them again. Answers for each order how many reservations it
-- sold now; an order with none is not answered.
create function catalog.commit(for_orders uuid[]) returns table (order_id uuid, lines bigint)
language plpgsql security definer set search_path = catalog, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
begin
  return query
  with sold as (
    update reservations r set state = 'committed' where r.order_id = any(for_orders) and r.state = 'held'
    returning r.order_id
  )
  select sold.order_id, count(*) from sold group by sold.order_id;
end $$;
revoke execute on function catalog.commit from public;
grant execute on function catalog.commit to waybill_orders;
