-- Tables of rates, one for each store, and what shipping may ask the catalog.

alter table shipping.rates
  drop column service_code,                     -- a service is known by its name, to its carrier too
  add column place integer not null default 0;  -- in the order in which the request found them
drop index shipping.rates_of_request;
create unique index rates_of_request on shipping.rates (request_id, place);

create table shipping.rate_tables (
  store_id uuid primary key,
  -- [{"carrier"?, "name", "countries", "bands": [{"upToG", "amountMinor"}], "currency", "etaDays", "freeFromMinor"?}]
  services jsonb not null,
  set_at timestamptz not null
);

create function catalog.has_store(store uuid) returns boolean
language sql stable security definer set search_path = catalog, pg_temp as $$
  select exists (select from stores s where s.id = store)
$$;
revoke execute on function catalog.has_store from public;
grant usage on schema catalog to waybill_shipping;
grant execute on function catalog.offer, catalog.has_store to waybill_shipping;
