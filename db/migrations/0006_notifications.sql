select journal.create_service('notifications');

create table notifications.contacts (
  account_id uuid primary key,
  email text not null,
  name text not null,
  saved_at timestamptz not null
);

-- One row per mail that was ever begun: written before the mail server is called.
create table notifications.deliveries (
  id uuid primary key,                          -- the first command that asked for it; the mail's Message-ID
  workflow text not null,
  recipient_id uuid not null,
  dedupe_key text not null,                     -- what the mail is about: nobody is told the same twice
  status text not null check (status in ('sending', 'unsent', 'sent', 'unknown', 'refused')),
  command_id uuid not null,                     -- who is sending it, or did last
  begun_at timestamptz not null,
  ended_at timestamptz,
  unique (workflow, recipient_id, dedupe_key),
  check ((ended_at is null) = (status = 'sending'))
);
-- The few that somebody may want to look at.
create index deliveries_unsettled on notifications.deliveries (begun_at) where status in ('sending', 'unsent', 'unknown');
