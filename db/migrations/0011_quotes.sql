-- Quotes: what lines would cost, kept for a while so that an order can be placed at those prices.

create table orders.quotes (
  id uuid primary key,                          -- the id of its orders.quote
  customer_id uuid not null,
  total_minor bigint not null check (total_minor >= 0),
  currency text not null,
  price_version text not null,                  -- digest of the unit prices; two quotes at the same prices have the same
  quoted_at timestamptz not null,
  expires_at timestamptz not null,
  order_id uuid unique references orders.orders -- the order that used it; once set it stays
);

create table orders.quote_lines (
  quote_id uuid not null references orders.quotes,
  sku text not null,
  title text not null,
  quantity bigint not null check (quantity > 0),
  unit_price_minor bigint not null check (unit_price_minor >= 0),
  total_minor bigint not null check (total_minor = quantity * unit_price_minor),
  expires_at timestamptz not null,              -- its quote's, so that one index finds what a new price concerns
  stale boolean not null default false,         -- the product has had another price since
  primary key (quote_id, sku)
);
-- What a new price may concern: the oldest first, and only what is not known to be stale.
create index quote_lines_fresh on orders.quote_lines (sku, expires_at) where not stale;
