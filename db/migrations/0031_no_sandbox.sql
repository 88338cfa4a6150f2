-- The payment provider is a server of its own now (workers/payments/simulator): what the sandbox remembered in tables of
-- ours goes. Payments that were made at it keep its name and their books; nothing more can be captured or refunded there.

drop table payments.sandbox_refunds, payments.sandbox_charges;
