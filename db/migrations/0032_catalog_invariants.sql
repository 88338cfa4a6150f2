-- The same sentences, looked at by what is there to break them, so that a large catalog can be looked at in time.

create or replace function invariants.variants(since timestamptz) returns setof text
language sql stable security definer set search_path = '' set enable_seqscan = on set enable_hashjoin = on as $$
  select 'SKU ' || v.sku from catalog.products v join catalog.products p on p.id = v.parent_id
  where p.parent_id is not null
    or (v.store_id, v.currency, v.tax_class) is distinct from (p.store_id, p.currency, p.tax_class)
    or not starts_with(v.title, p.title || ' (')
  union all
  select 'SKU ' || p.sku from catalog.products p
  left join (
    select v.parent_id, count(*) as variants from catalog.products v where v.parent_id is not null group by v.parent_id
  ) counted on counted.parent_id = p.id
  where p.variants <> coalesce(counted.variants, 0)
$$;

create or replace function invariants.stores(since timestamptz) returns setof text
language sql stable security definer set search_path = '' set enable_seqscan = on set enable_hashjoin = on as $$
  select 'store ' || s.id from catalog.stores s
  where (select count(*) <> count(distinct (rate.country, rate."taxClass"))
         from jsonb_to_recordset(s.taxes) as rate(country text, "taxClass" text))
  union all
  select 'SKU ' || p.sku from catalog.products p
  left join catalog.stores s on s.id = p.store_id where s.id is null
  union all
  select distinct 'SKU ' || p.sku from catalog.product_categories c join catalog.products p on p.id = c.product_id
  where c.store_id <> p.store_id or p.parent_id is not null
$$;
comment on function invariants.stores is
  'Each product is of a store, is listed in its categories there unless it is a variant, and each store takes one tax at the most for a country and class.';

create or replace function invariants.prices(since timestamptz) returns setof text
language sql stable security definer set search_path = '' set enable_seqscan = on set enable_hashjoin = on as $$
  select 'SKU ' || p.sku from catalog.products p
  left join catalog.prices last on last.product_id = p.id and last.version = p.price_version
  left join (
    select h.product_id, count(*) as versions from catalog.prices h group by h.product_id
  ) counted on counted.product_id = p.id
  where (p.price_minor, p.currency) is distinct from (last.price_minor, last.currency)
    or p.price_version <> coalesce(counted.versions, 0)
$$;
