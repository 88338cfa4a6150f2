-- Which products a search finds may be remembered elsewhere for a while. Whatever changes that leaves its transaction
-- here, in that transaction: what was found in a snapshot still holds as long as nothing is here that the snapshot does
-- not see. Price and stock are no part of it. No row is waited for, unlike one that counts the changes.

create table catalog.search_changes (
  xid xid8 primary key default pg_current_xact_id(),
  at timestamptz not null default now()
);

create function catalog.note_search_change() returns trigger
language plpgsql security definer set search_path = catalog, pg_temp as $$
begin
  insert into search_changes default values on conflict do nothing;
  if found then
    -- Nothing is remembered for as long as that.
    delete from search_changes where xid in (
      select c.xid from search_changes c where c.at < now() - interval '1 hour' order by c.xid limit 5
      for update skip locked);
  end if;
  return null;
end $$;
revoke execute on function catalog.note_search_change from public;

create trigger search_changes after insert or delete or truncate or update of title, sku, parent_id, store_id
  on catalog.products for each statement execute function catalog.note_search_change();
create trigger search_changes after insert or delete or truncate or update
  on catalog.product_categories for each statement execute function catalog.note_search_change();

-- Whether nothing has changed since a snapshot of this server, which counts transactions anew when it is another.
create function catalog.still_finds(server text, snapshot pg_snapshot) returns boolean
language sql stable security definer set search_path = catalog, pg_temp as $$
  select server = extract(epoch from pg_postmaster_start_time())::text and not exists (
    select from search_changes c where c.xid >= pg_snapshot_xmin(snapshot) and not pg_visible_in_snapshot(c.xid, snapshot))
$$;
revoke execute on function catalog.still_finds from public;
grant execute on function catalog.still_finds to waybill_catalog;
