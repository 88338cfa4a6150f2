-- What went back of a payment is told by events that are not always worked in their order: they are counted.
alter table payments.payments add column refund_changes integer not null default 0; -- refunds that went back or failed
alter table orders.orders add column refund_changes integer not null default 0;     -- of its payment, as far as it was told
