-- A discount is of a store that is there.
grant execute on function catalog.has_store to waybill_orders;
