-- Money that is set aside, captured in parts, let go, given back, disputed. What was set aside is the whole amount or
-- nothing: the status says which.

alter table payments.payments
  add column provider text not null default 'sandbox',  -- it stays with its provider for ever
  add column reference text,                    -- the provider's own id of the charge
  add column capture text not null default 'automatic',
  add column store_id uuid,
  add column split jsonb,                       -- whose it is: [{account, amountMinor}]; null: all of it is sales
  add column capture_pending_minor bigint not null default 0,
  add column ending text,                       -- what is under way and lets go of what is left: nothing goes beside it
  add column capture_before timestamptz,        -- then the provider lets go of what is not captured
  add column action_url text,                   -- where the buyer confirms the charge
  add column dispute_status text,               -- of the last dispute
  add column provider_says jsonb,               -- its sums, if they differed when it was asked last
  add column reconcile_at timestamptz;          -- when the provider is asked again without any reason

-- I2: 0 <= refunded + on their way back <= captured; captured + about to be <= set aside; voided or captured, not both.
-- What is there already holds all of it: 0005 saw to that. The next migration looks, without a lock that stops orders.
alter table payments.payments
  drop constraint payments_status_check,
  drop constraint payments_check,
  add constraint payments_status_check check (status in ('processing', 'unknown', 'action_required', 'authorized',
    'partially_captured', 'captured', 'declined', 'voided')) not valid,
  add constraint payments_capture_check check (capture in ('automatic', 'manual')) not valid,
  add constraint payments_captured_check check (captured_minor >= 0 and capture_pending_minor >= 0
    and captured_minor + capture_pending_minor <= amount_minor
    and case status
      when 'captured' then capture_pending_minor = 0 and (captured_minor > 0 or amount_minor = 0)
        and (capture = 'manual' or captured_minor = amount_minor)
      when 'partially_captured' then captured_minor > 0
      when 'authorized' then captured_minor = 0
      else captured_minor = 0 and capture_pending_minor = 0
    end) not valid,
  add constraint payments_ending_check check (ending is null
    or ending = 'capture' and status in ('authorized', 'partially_captured') and capture_pending_minor > 0
    or ending = 'void' and status = 'authorized' and capture_pending_minor = 0) not valid,
  add constraint payments_dispute_check
    check (dispute_status in ('needs_response', 'under_review', 'won', 'lost')) not valid;

-- Neither holds a payment that was simply captured: settling it changes no index.
create index payments_capture_before on payments.payments (capture_before) where capture_before is not null;
create index payments_reconcile_at on payments.payments (reconcile_at) where reconcile_at is not null;

-- Whose charge it is that a provider names by its own id alone, as with disputes.
create table payments.charge_references (
  provider text not null,
  reference text not null,
  payment_id uuid not null,
  primary key (provider, reference)
);

create table payments.captures (
  id uuid primary key,                          -- the id of its payments.capture
  payment_id uuid not null references payments.payments,
  request_id uuid not null,                     -- what asked for it
  amount_minor bigint not null check (amount_minor > 0),
  is_final boolean not null,                    -- what it leaves is let go
  status text not null default 'pending' check (status in ('pending', 'succeeded', 'failed')),
  inquiries smallint not null default 0,        -- calls that the provider did not answer
  created_at timestamptz not null,
  unique (payment_id, request_id)               -- whoever asks again, it is the same capture
);

create table payments.voids (
  id uuid primary key,                          -- the id of its payments.void
  payment_id uuid not null references payments.payments,
  request_id uuid not null,
  reason text not null,
  status text not null default 'pending' check (status in ('pending', 'succeeded', 'failed')),
  inquiries smallint not null default 0,
  created_at timestamptz not null,
  unique (payment_id, request_id)
);

alter table payments.refunds
  add column reference text,                    -- the provider's own id of it
  drop constraint refunds_status_check,
  add constraint refunds_status_check check (status in ('pending', 'succeeded', 'failed')) not valid;

create table payments.disputes (
  id uuid primary key,
  payment_id uuid not null references payments.payments,
  reference text not null,                      -- the provider's own id of it
  amount_minor bigint not null check (amount_minor > 0),
  status text not null check (status in ('needs_response', 'under_review', 'won', 'lost')),
  reason text not null,
  opened_at timestamptz not null,
  closed_at timestamptz,
  unique (payment_id, reference)
);

-- What providers told by webhook, as it came: a hint to ask them.
create table payments.provider_events (
  provider text not null,
  event_id text not null,
  kind text not null,
  charge_key text,
  reference text,
  payment_id uuid,                              -- null: no payment of ours
  raw bytea not null,
  happened_at timestamptz not null,
  received_at timestamptz not null,
  primary key (provider, event_id)              -- however often it is delivered
);
create index provider_events_unmatched on payments.provider_events (received_at) where payment_id is null;
create index provider_events_received on payments.provider_events (received_at);
