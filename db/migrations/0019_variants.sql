-- Variants, each sold by a SKU of its own; what lists and searches need for them and for stores.

alter table catalog.products
  add column description text not null default '',
  add column parent_id uuid references catalog.products,  -- the product of which it is a variant
  add column options jsonb,                               -- {"size": "M"}
  add column variants smallint not null default 0 check (variants between 0 and 100),
  add check ((parent_id is null) = (options is null)),
  add check (parent_id is null or variants = 0);
-- Also finds the variants of a product.
create unique index variants_once on catalog.products (parent_id, options) where parent_id is not null;

-- Pages of products, which are the ends of these and read nothing else.
create index products_listed on catalog.products (id) where parent_id is null;
create index products_of_store on catalog.products (store_id, id) where parent_id is null;
alter table catalog.product_categories
  add column store_id uuid not null default '00000000-0000-7000-8000-000000000001' references catalog.stores;
create index product_categories_of_store on catalog.product_categories (store_id, category, product_id);

-- What a variant is called, and so the words that find it.
create function catalog.variant_title(title text, options jsonb) returns text
language sql immutable strict parallel safe as $$
  select title || ' (' || string_agg(o.value, ', ' order by o.key collate "C") || ')' from jsonb_each_text(options) o
$$;

-- Postgres has its own list of time zones, and takes more for one than is on it.
create function catalog.knows_time_zone(name text) returns boolean language plpgsql stable as $$
begin
  perform now() at time zone name;
  return true;
exception when invalid_parameter_value then
  return false;
end $$;

alter table catalog.stores add column search tsvector not null
  generated always as (array_to_tsvector(catalog.words(name))) stored;
create index stores_search on catalog.stores using gin (search) with (fastupdate = off);
create index stores_of_kind on catalog.stores (kind, id);

revoke execute on function catalog.variant_title, catalog.knows_time_zone from public;
grant execute on function catalog.variant_title, catalog.knows_time_zone to waybill_catalog;

create function invariants.variants(since timestamptz) returns setof text
language sql stable security definer set search_path = '' set enable_seqscan = on set enable_hashjoin = on as $$
  select 'SKU ' || v.sku from catalog.products v join catalog.products p on p.id = v.parent_id
  where p.parent_id is not null
    or (v.store_id, v.currency, v.tax_class) is distinct from (p.store_id, p.currency, p.tax_class)
    or v.title is distinct from catalog.variant_title(p.title, v.options)
    or exists (select from catalog.product_categories c where c.product_id = v.id)
  union all
  select 'SKU ' || p.sku from catalog.products p
  where p.variants <> (select count(*) from catalog.products v where v.parent_id = p.id)
$$;
comment on function invariants.variants is
  'Each variant is of the store, currency and tax class of its product, which is no variant and knows how many it has.';

create function invariants.stores(since timestamptz) returns setof text
language sql stable security definer set search_path = '' set enable_seqscan = on set enable_hashjoin = on as $$
  select 'store ' || s.id from catalog.stores s
  where (select count(*) <> count(distinct (rate.country, rate."taxClass"))
         from jsonb_to_recordset(s.taxes) as rate(country text, "taxClass" text))
  union all
  select 'SKU ' || p.sku from catalog.products p
  where not exists (select from catalog.stores s where s.id = p.store_id)
    or exists (select from catalog.product_categories c where c.product_id = p.id and c.store_id <> p.store_id)
$$;
comment on function invariants.stores is
  'Each product is of a store, and each store takes one tax at the most for a country and class.';

revoke execute on function invariants.variants, invariants.stores from public;
grant execute on function invariants.variants, invariants.stores to waybill_edge;
