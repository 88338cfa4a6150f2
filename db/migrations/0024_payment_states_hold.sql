-- Looks at the payments that were there before their states: orders go on meanwhile.
alter table payments.payments
  validate constraint payments_status_check,
  validate constraint payments_capture_check,
  validate constraint payments_captured_check,
  validate constraint payments_ending_check,
  validate constraint payments_dispute_check;
alter table payments.refunds validate constraint refunds_status_check;
