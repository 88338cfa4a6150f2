import type { Tx } from '../../queues/outcome.ts'

/** Deletes some of the rates that expired a day ago or earlier; answers how many. */
export async function forgetRates(tx: Tx, most: number): Promise<number> {
  const deleted = await tx`
    delete from shipping.rates where id = any(array(
      select id from shipping.rates where expires_at < now() - interval '1 day'
      order by expires_at limit ${most} for update skip locked))`
  return deleted.count
}
