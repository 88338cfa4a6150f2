-- Orders: what was bought, where it stands, and every step that led there.

select journal.create_service('orders');

-- An order and its pieces are one transaction. Of the catalog, orders may do these four things and read no table.
grant usage on schema catalog to waybill_orders;
grant execute on function catalog.offer, catalog.reserve, catalog.commit, catalog.release to waybill_orders;

create table orders.orders (
  id uuid primary key,                          -- the id of its orders.place
  customer_id uuid not null,
  state text not null check (state in ('pending_payment', 'payment_failed', 'paid', 'cancelled', 'expired')),
  previous_state text,                          -- set by each transition, so that its own history row can tell
  version integer not null default 1,           -- transitions so far; the seq of the latest history row
  total_minor bigint not null check (total_minor >= 0),
  currency text not null,
  charges smallint not null default 1,          -- charges asked for, one at a time
  charging boolean not null default true,       -- the last of them has not been answered
  payment_id uuid,                              -- the payment that counts for this order
  captured_minor bigint not null default 0,
  refunded_minor bigint not null default 0,
  payment_status text not null generated always as (
    case when captured_minor = 0 then 'none'
         when refunded_minor = 0 then 'captured'
         when refunded_minor < captured_minor then 'partially_refunded'
         else 'refunded' end) stored,
  placed_at timestamptz not null,
  expires_at timestamptz not null,              -- unpaid by then and with no charge unanswered, it expires
  check (captured_minor in (0, total_minor)),
  check (refunded_minor between 0 and captured_minor)
);
create index orders_of_customer on orders.orders (customer_id, id);
create index orders_unpaid on orders.orders (expires_at) where state in ('pending_payment', 'payment_failed');

create table orders.lines (
  order_id uuid not null references orders.orders,
  sku text not null,
  title text not null,                          -- as it was when the order was placed, like the price
  quantity bigint not null check (quantity > 0),
  unit_price_minor bigint not null check (unit_price_minor >= 0),
  total_minor bigint not null check (total_minor = quantity * unit_price_minor),
  primary key (order_id, sku)
);

create table orders.history (
  order_id uuid not null references orders.orders,
  seq integer not null,
  from_state text,                              -- null: it was placed
  to_state text not null,
  cause text not null,                          -- the command that moved it
  actor_id text,                                -- null: the clock
  traceparent text not null,
  at timestamptz not null,
  primary key (order_id, seq)
);
