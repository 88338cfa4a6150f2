-- The transfers of a payment are found by their key, source by source; before, every transfer was compared with each.

create or replace function invariants.splits(since timestamptz) returns setof text
language sql stable security definer set search_path = '' as $$
  select 'payment ' || p.id from payments.payments p
  where p.id >= invariants.first_id(since) and p.split is not null and (
    p.amount_minor <> (select sum((part ->> 'amountMinor')::bigint) from jsonb_array_elements(p.split) part)
    or exists (
      select from jsonb_array_elements(p.split) with ordinality as part(each, at)
      cross join lateral (
        select coalesce(sum(t.amount_minor) filter (where t.kind::text = 'capture'), 0) as came,
               coalesce(sum(case t.kind::text when 'refund' then t.amount_minor when 'dispute_lost' then t.amount_minor
                                              when 'refund_reversal' then -t.amount_minor end), 0) as went
        from (
          select p.id union all select c.id from payments.captures c where c.payment_id = p.id
          union all select r.id from payments.refunds r where r.payment_id = p.id
          union all select d.id from payments.disputes d where d.payment_id = p.id
        ) source cross join lateral (
          select t.* from payments.transfers t
          where t.kind in ('capture', 'refund', 'refund_reversal', 'dispute_lost') and t.source_id = source.id
          offset 0 -- else Postgres takes kind and part for the shorter way to a few transfers
        ) t
        where t.part = part.at - 1 and t.payment_id = p.id
      ) posted
      where posted.came > (part.each ->> 'amountMinor')::bigint or posted.went not between 0 and posted.came))
$$;
