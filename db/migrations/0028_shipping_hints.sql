-- Webhooks of carriers are kept for a while, as evidence; after that they are deleted.
create index hints_age on shipping.hints (received_at);
