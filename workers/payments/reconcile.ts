import type { Tx } from '../../queues/outcome.ts'

interface Sweep {
  readonly now: Date
  /** When each of them is looked at again. */
  readonly nextAt: Date
  readonly limit: number
}

/** Payments of which nothing was captured in time: what is set aside is to be let go. Each is taken once. */
export async function takeOverdue(tx: Tx, { now, nextAt, limit }: Sweep): Promise<readonly string[]> {
  const rows = await tx<{ id: string; status: string }[]>`
    with overdue as (
      select id from payments.payments where capture_before <= ${now}
      order by capture_before limit ${limit} for update skip locked
    )
    update payments.payments p set capture_before = null,
      reconcile_at = case p.status when 'authorized' then ${nextAt}::timestamptz else ${now}::timestamptz end
    from overdue where p.id = overdue.id returning p.id, p.status`
  return rows.filter(({ status }) => status === 'authorized').map(({ id }) => id)
}

/** Payments whose end is open and of which nothing was heard for long. */
export async function takeSilent(tx: Tx, { now, nextAt, limit }: Sweep): Promise<readonly string[]> {
  const rows = await tx<{ id: string }[]>`
    with silent as (
      select id from payments.payments where reconcile_at <= ${now}
      order by reconcile_at limit ${limit} for update skip locked
    )
    update payments.payments p set reconcile_at = ${nextAt} from silent where p.id = silent.id returning p.id`
  return rows.map(({ id }) => id)
}

/** Webhooks are kept for as long as providers can send them again. */
export async function forgetEvents(
  tx: Tx,
  { before, limit }: { readonly before: Date; readonly limit: number },
) {
  await tx`
    delete from payments.provider_events where (provider, event_id) in (
      select provider, event_id from payments.provider_events where received_at < ${before}
      order by received_at limit ${limit})`
}
