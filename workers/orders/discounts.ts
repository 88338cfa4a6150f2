import type { Tx } from '../../queues/outcome.ts'

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

/** Gives back the uses of orders that ended without being bought; answers how many. Before their pieces, never after. */
export const releaseUses = (tx: Tx, orderIds: Fragment) => tx`orders.release_discounts(${orderIds})`
