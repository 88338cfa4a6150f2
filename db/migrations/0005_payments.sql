-- Payments and refunds, and the memory of the sandbox provider.

select journal.create_service('payments');

create table payments.payments (
  id uuid primary key,                          -- the id of its payments.charge
  order_id uuid not null,
  attempt smallint not null,                    -- the order's first charge is 1
  customer_id uuid not null,
  amount_minor bigint not null check (amount_minor >= 0),
  currency text not null,
  payment_method text not null,
  status text not null default 'processing' check (status in ('processing', 'unknown', 'captured', 'declined')),
  decline_code text,
  inquiries smallint not null default 0,        -- calls that the provider did not answer
  captured_minor bigint not null default 0,
  refund_pending_minor bigint not null default 0 check (refund_pending_minor >= 0),
  refunded_minor bigint not null default 0 check (refunded_minor >= 0),
  created_at timestamptz not null,
  unique (order_id, attempt),                   -- whoever asks again, it is the same charge
  check (captured_minor = case status when 'captured' then amount_minor else 0 end),
  check (refunded_minor + refund_pending_minor <= captured_minor),
  check ((decline_code is not null) = (status = 'declined'))
) with (fillfactor = 70);
create index payments_of_customer on payments.payments (customer_id, id);

create table payments.refunds (
  id uuid primary key,                          -- the id of its payments.refund
  payment_id uuid not null references payments.payments,
  request_id uuid not null,                     -- the command that asked for it
  amount_minor bigint not null check (amount_minor > 0),
  reason text not null,
  status text not null default 'pending' check (status in ('pending', 'succeeded')),
  inquiries smallint not null default 0,
  created_at timestamptz not null,
  unique (payment_id, request_id)               -- whoever asks again, it is the same refund
);

-- What the sandbox remembers, as a provider would: written by its own statements, never in our transactions.
create table payments.sandbox_charges (
  key text primary key,                         -- our idempotency key
  amount_minor bigint not null,
  currency text not null,
  payment_method text not null,
  decline_code text,                            -- null: the money was taken
  calls integer not null default 1,             -- how often it was asked for
  created_at timestamptz not null default now()
);

create table payments.sandbox_refunds (
  key text primary key,
  charge_key text not null references payments.sandbox_charges,
  amount_minor bigint not null,
  calls integer not null default 1,
  created_at timestamptz not null default now()
);
