import type { JSONValue } from 'postgres'
import type { CaseKind } from '../../queues/cases.ts'
import type { Tx } from '../../queues/outcome.ts'
import { capture } from '../../queues/payments.ts'

/** What stands still, or has died, and belongs to an order; without those that have a case. */
export interface Stuck {
  readonly kind: CaseKind
  readonly cause: string
  readonly orderId: string
  readonly paymentId: string | null
  readonly detail: Record<string, JSONValue>
}

/** Cases that one look opens; the rest follow at the next. */
const stuckMax = 200

/** Dead commands of orders, since a moment. */
export const deadCommands = (tx: Tx, since: Date): Promise<readonly Stuck[]> => tx<Stuck[]>`
  select 'dead_command' as kind, d.command_id as cause, o.id as "orderId", o.payment_id as "paymentId",
    jsonb_build_object('command', d.type, 'because', d.because, 'diedAt', d.died_at) as detail
  from journal.dead_since(${since}) d
  cross join lateral (select o.id, o.payment_id from orders.orders o where o.id = any(d.may_be) limit 1) o
  where not exists (select from orders.cases c where c.kind = 'dead_command' and c.cause = d.command_id)
  limit ${stuckMax}`

/** Shipments whose money could not be captured: the command that asked for it ended with a no. */
export const refusedCaptures = (tx: Tx): Promise<readonly Stuck[]> => tx<Stuck[]>`
  with awaiting as materialized (
    select s.id, s.order_id from orders.shipments s
    where s.state = 'awaiting_money' and ${withoutCase(tx, 'capture_failed', tx`s.id`)} order by s.id limit ${stuckMax * 5}
  )
  select 'capture_failed' as kind, a.id as cause, a.order_id as "orderId", o.payment_id as "paymentId",
    jsonb_build_object('command', r.command_id, 'refusal', r.refusal) as detail
  from journal.refused(array(select id from awaiting), ${capture.name}) r
  join awaiting a on a.id = r.root_id join orders.orders o on o.id = a.order_id
  limit ${stuckMax}`

/** Orders that wait for an answer about money since before `before`, an hour ago. */
export const unanswered = (tx: Tx, before: Date): Promise<readonly Stuck[]> => tx<Stuck[]>`
  select found.*, '{}'::jsonb as detail from (
    (select 'charge_unanswered' as kind, o.id as cause, o.id as "orderId", null::uuid as "paymentId"
     from orders.orders o where o.state in ('pending_payment', 'payment_failed') and o.charging
       -- Placed or asked to be paid so long ago that even its extensions do not explain it.
       and o.placed_at < ${before} and not exists (
         select from orders.history h where h.order_id = o.id and h.seq = o.version and h.at >= ${before})
       and ${withoutCase(tx, 'charge_unanswered', tx`o.id`)}
     limit ${stuckMax})
    union all
    (select 'capture_unanswered', s.id, s.order_id, o.payment_id
     from orders.shipments s join orders.orders o on o.id = s.order_id
     where s.state = 'awaiting_money' and s.created_at < ${before}
       and ${withoutCase(tx, 'capture_unanswered', tx`s.id`)} limit ${stuckMax})
    union all
    (select 'money_not_returned', o.id, o.id, o.payment_id from orders.orders o
     where o.state in ('cancelled', 'expired') and case when o.captured_minor > 0 then o.captured_minor else o.authorized_minor end > o.refunded_minor
       and not exists (
         select from orders.history h where h.order_id = o.id and h.seq = o.version and h.at >= ${before})
       and ${withoutCase(tx, 'money_not_returned', tx`o.id`)}
     limit ${stuckMax})
    union all
    (select 'money_not_returned', t.id, t.order_id, o.payment_id
     from orders.returns t join orders.orders o on o.id = t.order_id
     where t.state = 'received' and t.refund_minor > 0 and t.decided_at < ${before}
       and t.decided_at > ${before}::timestamptz - interval '7 days'
       and o.refunded_minor < (select sum(refund_minor) from orders.returns where order_id = o.id)
       and ${withoutCase(tx, 'money_not_returned', tx`t.id`)}
     limit ${stuckMax})
  ) found`

type Fragment = ReturnType<Tx>

/** Part of every search, before its limit: what has its case must not take the place of what has none. */
const withoutCase = (tx: Tx, kind: CaseKind, cause: Fragment): Fragment => tx`
  not exists (select from orders.cases c where c.kind = ${kind} and c.cause = ${cause})`
