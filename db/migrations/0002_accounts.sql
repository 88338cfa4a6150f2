select journal.create_service('accounts');

create table accounts.accounts (
  id uuid primary key,
  email text not null check (length(email) <= 254),
  name text not null check (length(name) between 1 and 200),
  password_hash text not null check (password_hash like '$argon2id$%'),
  roles text[] not null check (cardinality(roles) > 0 and roles <@ array['customer', 'merchant', 'operator']),
  created_at timestamptz not null
);
-- One account per address, however it is spelled.
create unique index accounts_email on accounts.accounts (lower(email));

create table accounts.signing_keys (
  kid text primary key,                         -- RFC 7638 thumbprint
  public_jwk jsonb not null check (not public_jwk ? 'd'),
  private_jwe text not null,                    -- the private part, encrypted under ACCOUNTS_SECRET
  created_at timestamptz not null,
  retired_at timestamptz                        -- signs no more
);
-- Two processes that start together make one key.
create unique index signing_keys_current on accounts.signing_keys ((true)) where retired_at is null;

-- All the refresh tokens that descend from one login.
create table accounts.token_families (
  id uuid primary key,
  account_id uuid not null references accounts.accounts,
  created_at timestamptz not null,
  expires_at timestamptz not null check (expires_at > created_at),
  revoked_at timestamptz,
  revoked_because text,
  check ((revoked_at is null) = (revoked_because is null))
);
create index token_families_account on accounts.token_families (account_id);

create table accounts.refresh_tokens (
  hash bytea primary key check (length(hash) = 32),  -- SHA-256: the token itself is nowhere kept
  family_id uuid not null references accounts.token_families,
  created_at timestamptz not null,
  expires_at timestamptz not null check (expires_at > created_at),
  used_at timestamptz,
  used_by text,                                 -- digest of the client that used it
  sealed_answer text,                           -- what that use answered, encrypted under the token itself
  check ((used_at is null) = (used_by is null) and (used_at is null) = (sealed_answer is null))
);
create index refresh_tokens_family on accounts.refresh_tokens (family_id);
