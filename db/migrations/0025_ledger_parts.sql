-- A capture or refund has one transfer for each whose money it is; disputes and payouts are posted, too.

alter type payments.transfer_kind add value if not exists 'refund_reversal';
alter type payments.transfer_kind add value if not exists 'dispute';
alter type payments.transfer_kind add value if not exists 'dispute_won';
alter type payments.transfer_kind add value if not exists 'dispute_lost';
alter type payments.transfer_kind add value if not exists 'payout';

alter table payments.transfers
  add column part smallint not null default 0,  -- which part of the payment's split
  alter column payment_id drop not null,        -- a payout belongs to no payment
  alter column order_id drop not null,
  drop constraint transfers_pkey,
  add primary key (kind, source_id, part);
grant insert (part) on payments.transfers to waybill_payments;

-- What stores were paid: never more than was owed, which is counted under a lock on the store's row.
create table if not exists payments.stores (store_id uuid primary key);
create table if not exists payments.payouts (
  id uuid primary key,                          -- the id of its payments.record-payout
  store_id uuid not null,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  reference text not null,                      -- as the bank knows it
  paid_at timestamptz not null
);
create index if not exists payouts_of_store on payments.payouts (store_id, id);
