-- Shipping: what carriers and stores offer to carry a basket somewhere. What was offered is kept until it expires, and
-- read inside the transaction of whoever sells it.

select journal.create_service('shipping');
grant execute on function journal.claim to waybill_shipping;

create table shipping.rates (
  id uuid primary key,
  request_id uuid not null,                     -- the shipping.find-rates that found it
  customer_id uuid not null,
  store_id uuid not null,
  lines jsonb not null,                         -- [{"sku", "quantity"}] sorted by SKU
  destination jsonb not null,
  weight_g bigint not null check (weight_g >= 0),
  source text not null check (source in ('carrier', 'table')),
  carrier text not null,
  service text not null,
  service_code text,                            -- what the carrier itself calls it; null in a table of rates
  amount_minor bigint not null check (amount_minor >= 0),
  currency text not null,
  eta_days integer not null check (eta_days >= 0),
  expires_at timestamptz not null
);
create index rates_of_request on shipping.rates (request_id);
create index rates_age on shipping.rates (expires_at);

-- A rate that was offered, whoever asks: it is for the asker to see that customer, store and lines are theirs.
create function shipping.rate(rate_id uuid)
returns table (customer_id uuid, store_id uuid, lines jsonb, destination jsonb, carrier text, service text,
               amount_minor bigint, currency text, eta_days integer, expires_at timestamptz)
language sql stable security definer set search_path = shipping, pg_temp as $$
  select r.customer_id, r.store_id, r.lines, r.destination, r.carrier, r.service, r.amount_minor, r.currency,
         r.eta_days, r.expires_at
  from rates r where r.id = rate_id
$$;
revoke execute on function shipping.rate from public;
grant usage on schema shipping to waybill_orders;
grant execute on function shipping.rate to waybill_orders;
