import type { Tx } from '../../queues/outcome.ts'
import type { NewDiscount } from './discount.ts'

/** True if it is there under this id, now or since an earlier run; false if another has or had its code. */
export async function insertDiscount(
  tx: Tx,
  discount: NewDiscount & { readonly id: string; readonly createdAt: Date },
): Promise<boolean> {
  const { id, code, storeId, ratePpm, amountMinor, currency, minGoodsMinor, startsAt, endsAt } = discount
  const inserted = await tx`
    insert into orders.discounts (id, code, store_id, rate_ppm, amount_minor, currency, min_goods_minor, starts_at,
      ends_at, uses_max, uses_per_customer_max, created_at)
    values (${id}, ${code}, ${storeId}, ${ratePpm}, ${amountMinor}, ${currency}, ${minGoodsMinor}, ${startsAt},
      ${endsAt}, ${discount.usesMax}, ${discount.usesPerCustomerMax}, ${discount.createdAt})
    on conflict do nothing`
  if (inserted.count > 0) return true
  const known = await tx`select from orders.discounts where id = ${id}`
  return known.count > 0
}

export async function hasStore(tx: Tx, storeId: string): Promise<boolean> {
  const [row] = await tx<{ isThere: boolean }[]>`select catalog.has_store(${storeId}) as "isThere"`
  return row?.isThere === true
}

/** When it ended, at the latest `at`; null if there is no such code. */
export async function endDiscount(tx: Tx, code: string, at: Date): Promise<Date | null> {
  const [row] = await tx<{ endsAt: Date }[]>`
    update orders.discounts set ends_at = least(ends_at, ${at}) where code = ${code} returning ends_at as "endsAt"`
  return row?.endsAt ?? null
}

type Fragment = ReturnType<Tx>

/** Takes a use of its discount for each step that has one, as far as there are any left: `granted` has those orders. */
export const takeUses = (tx: Tx, unless: Fragment) => tx`
  granted as materialized (
    select order_id from orders.use_discounts((
      select jsonb_agg(jsonb_build_object('orderId', id, 'discountId', discount_id, 'customerId', customer_id))
      from step where discount_id is not null ${unless}))
  )`

/** Notes the uses of the orders that were saved. */
export const countUses = (tx: Tx) => tx`
  counted as (
    insert into orders.discount_uses (order_id, discount_id, customer_id)
    select step.id, step.discount_id, step.customer_id from placed join step on step.id = placed.id
    where step.discount_id is not null
  )`

/**
 * Frees what these orders hold, which ended without being bought: the uses of their discounts, then their pieces, for
 * whoever places an order locks them in this order. Answers how many reservations ended.
 */
export const freeHeld = (tx: Tx, orderIds: Fragment): Fragment => tx`
  case when orders.release_discounts(${orderIds}) >= 0 then catalog.release(${orderIds}) end`
