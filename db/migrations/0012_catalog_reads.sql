-- What buyers and merchants look for: every price a product ever had, its categories, and a search over titles and SKUs.

-- Counts the prices of a product: whoever was shown one can tell later whether it still holds.
alter table catalog.products add column price_version integer not null default 1;

create table catalog.prices (
  product_id uuid not null references catalog.products,
  version integer not null check (version > 0),
  price_minor bigint not null check (price_minor >= 0),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  since timestamptz not null,
  command_id uuid,                              -- null: set before this table was there, and nothing tells by whom
  primary key (product_id, version)
);
-- History is written once.
revoke update, delete on catalog.prices from waybill_catalog;

-- What is known of the time before: the commands that the journal still has.
with told as (
  select p.id as product_id, c.id as command_id, c.settled_at as since,
         (c.input ->> 'priceMinor')::bigint as price_minor, c.input ->> 'currency' as currency
  from journal.commands c
  join catalog.products p
    on p.id = case c.type when 'catalog.create-product' then c.id else (c.input ->> 'productId')::uuid end
  where c.type in ('catalog.create-product', 'catalog.set-price') and c.state = 'succeeded'
), changes as (
  select t.*, lag((t.price_minor, t.currency)) over by_time is distinct from (t.price_minor, t.currency) as is_change
  from told t window by_time as (partition by t.product_id order by t.since, t.command_id)
)
insert into catalog.prices (product_id, version, price_minor, currency, since, command_id)
select product_id, row_number() over (partition by product_id order by since, command_id), price_minor, currency,
       since, command_id
from changes where is_change;

-- Where that is not the price of today, or nothing: the price of today.
insert into catalog.prices (product_id, version, price_minor, currency, since)
select p.id, coalesce(last.version, 0) + 1, p.price_minor, p.currency, coalesce(last.since, p.created_at)
from catalog.products p
left join lateral (
  select h.* from catalog.prices h where h.product_id = p.id order by h.version desc limit 1
) last on true
where (last.price_minor, last.currency) is distinct from (p.price_minor, p.currency);

update catalog.products p set price_version = h.versions
from (select product_id, max(version) as versions from catalog.prices group by product_id) h
where h.product_id = p.id and h.versions > 1;

create table catalog.product_categories (
  product_id uuid not null references catalog.products,
  category text not null check (length(category) between 1 and 60),
  primary key (product_id, category)
);
-- A page of a category is the end of this index, however many products the category has.
create index product_categories_newest on catalog.product_categories (category, product_id);

-- The words of a text as they are compared: without accents, in lower case, up to 64 characters each. The same in every
-- locale, unlike Postgres's own parser, which knows no capital letters beyond ASCII where the locale is C.
create function catalog.words(text text) returns text[]
language sql immutable strict parallel safe as $$
  select coalesce(array_agg(distinct left(word, 64)), '{}')
  from regexp_split_to_table(
    lower(regexp_replace(normalize(text, nfkd), '[\u0300-\u036f]', '', 'g') collate "unicode"),
    '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u055a-\u055f\u0589\u060c\u061b\u061f\u06d4\u0964\u0965\u2000-\u2bff\u2e00-\u3004\u3008-\u3020\u3030\u303d-\u303f\ue000-\uf8ff\ufe10-\ufe6f\ufeff\uff00-\uff0f\ufff0-\uffff]+'
  ) as word
  where word <> ''
$$;

-- What has words that begin with each of the words of `text`; null, which finds nothing, if it has none.
create function catalog.search_query(text text) returns tsquery
language sql immutable strict parallel safe as $$
  -- No word holds a quote or a backslash: both separate words.
  select string_agg('''' || word || ''':*', ' & ')::tsquery from unnest(catalog.words(text)) as word
$$;
revoke execute on function catalog.words, catalog.search_query from public;
grant execute on function catalog.words, catalog.search_query to waybill_catalog;

alter table catalog.products add column search tsvector not null
  generated always as (array_to_tsvector(catalog.words(title || ' ' || sku))) stored;
create index products_search on catalog.products using gin (search) with (fastupdate = off);
