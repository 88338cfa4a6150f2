select journal.create_service('media');

-- The bytes are in MEDIA_DIR; a row is written once they are whole.
create table media.uploads (
  id uuid primary key,
  owner_id uuid not null,
  bytes bigint not null check (bytes >= 0),
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null
);

create table media.conversions (
  id uuid primary key,                          -- the media.convert command that made it
  upload_id uuid not null references media.uploads,
  owner_id uuid not null,
  preset text not null check (preset in ('mp3-128', 'mp3-192', 'mp3-320')),
  duration_ms bigint not null check (duration_ms >= 0),
  bytes bigint not null check (bytes > 0),
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null
);
create index conversions_upload on media.conversions (upload_id);
