import type { Sql } from '../../db/client.ts'
import { oneStatement } from '../../queues/batch.ts'
import type { Discount } from './discount.ts'
import type { Extras } from './domain.ts'
import type { Rate } from './rate.ts'

/** What customers ask for besides lines. */
export interface Wishes {
  readonly discountCode?: string | null
  readonly shippingRateId?: string
}

/** Looks up the code and the rate; costs nothing if neither is asked for. */
export type FindExtras = (wishes: Wishes, asker: Pick<Extras, 'customerId' | 'askedAt'>) => Promise<Extras>

export function createFindExtras(sql: Sql): FindExtras {
  const findDiscount = createFindDiscount(sql)
  const findRate = createFindRate(sql)
  return async ({ discountCode: code, shippingRateId }, { customerId, askedAt }) => {
    const discount = code ? findDiscount({ code, customerId }) : null
    const rate = shippingRateId ? findRate(shippingRateId) : null
    return {
      customerId,
      askedAt,
      discount: discount && { found: await discount },
      rate: rate && { found: await rate },
    }
  }
}

const createFindDiscount = (sql: Sql) =>
  oneStatement(async (asked: readonly { readonly code: string; readonly customerId: string }[]) => {
    const rows = await sql<(Discount & { readonly at: number })[]>`
      select asked.at, d.id, d.code, d.store_id as "storeId", d.rate_ppm as "ratePpm", d.amount_minor as "amountMinor",
        d.currency, d.min_goods_minor as "minGoodsMinor", d.starts_at as "startsAt", d.ends_at as "endsAt",
        d.uses_max as "usesMax", d.uses, d.uses_per_customer_max as "usesPerCustomerMax",
        (select count(*) from orders.discount_uses u
         where u.discount_id = d.id and u.customer_id = asked."customerId" and not u.released) as "customerUses"
      from jsonb_to_recordset(${sql.json(asked.map((each, at) => ({ ...each, at })))})
        as asked(at integer, code text, "customerId" uuid)
      join orders.discounts d on d.code = asked.code`
    const found = new Map(rows.map(({ at, ...discount }) => [at, discount]))
    return asked.map((_, at) => found.get(at) ?? null)
  })

const createFindRate = (sql: Sql) =>
  oneStatement(async (ids: readonly string[]) => {
    const rows = await sql<Rate[]>`
      select asked.id as "rateId", r.customer_id as "customerId", r.store_id as "storeId", r.lines, r.destination,
        r.carrier, r.service, r.amount_minor as "amountMinor", r.currency, r.eta_days as "etaDays",
        r.expires_at as "expiresAt"
      from unnest(${[...new Set(ids)]}::uuid[]) as asked(id) cross join lateral shipping.rate(asked.id) r`
    const found = new Map(rows.map(rate => [rate.rateId, rate]))
    return ids.map(id => found.get(id) ?? null)
  })
