import type { Sql } from '../../db/client.ts'
import type { Address } from '../../queues/fulfilment.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { Rate, TableService } from '../../queues/rates.ts'
import type { Basket, Found, Offered } from './rates.ts'

/** What the catalog says of these lines, one row per SKU, in the order of SKUs. Reserves nothing. */
export async function readOffered(
  sql: Sql,
  lines: readonly { readonly sku: string; readonly quantity: number }[],
): Promise<readonly Offered[]> {
  const orders = [{ orderId: anyOrder, lines: [...lines] }]
  return await sql<Offered[]>`
    select sku, requested as quantity, unit_price_minor as "unitPriceMinor", currency, store_id as "storeId",
      weight_g as "weightG", store ->> 'country' as country
    from catalog.offer(${sql.json(orders)}) order by sku`
}
/** The catalog is asked for orders; what it offers does not depend on which. */
const anyOrder = '00000000-0000-7000-8000-000000000000'

export async function readTable(sql: Sql, storeId: string): Promise<readonly TableService[] | null> {
  const [row] = await sql<{ services: TableService[] | null }[]>`
    select (select services from shipping.rate_tables where store_id = ${storeId}) as services
    where catalog.has_store(${storeId})`
  return row ? (row.services ?? []) : null
}

/** Answers false if there is no such store: then nothing changed. */
export async function writeTable(
  tx: Tx,
  {
    storeId,
    services,
    at,
  }: { readonly storeId: string; readonly services: TableService[]; readonly at: Date },
): Promise<boolean> {
  const written = await tx`
    insert into shipping.rate_tables (store_id, services, set_at)
    select ${storeId}::uuid, ${tx.json(services)}, ${at}::timestamptz where catalog.has_store(${storeId})
    on conflict (store_id) do update set services = excluded.services, set_at = excluded.set_at`
  return written.count > 0
}

export interface RatesFound {
  readonly requestId: string
  readonly customerId: string
  readonly basket: Basket
  readonly destination: Address
  readonly expiresAt: Date
  readonly rates: readonly (Found & { readonly id: string })[]
}

/** Keeps what was found, unless the request has found rates before; answers what it found first, cheapest first. */
export async function keepRates(tx: Tx, found: RatesFound): Promise<readonly Rate[]> {
  const { requestId, customerId, basket, destination, expiresAt, rates } = found
  await tx`
    insert into shipping.rates (id, request_id, place, customer_id, store_id, lines, destination, weight_g, source,
      carrier, service, amount_minor, currency, eta_days, expires_at)
    select rate.id, ${requestId}::uuid, rate.place, ${customerId}::uuid, ${basket.storeId}::uuid,
      ${tx.json([...basket.lines])}, ${tx.json(destination)}, ${basket.weightG}::bigint, rate.source, rate.carrier,
      rate.service, rate."amountMinor", rate.currency, rate."etaDays", ${expiresAt}::timestamptz
    from jsonb_to_recordset(${tx.json(rates.map((rate, place) => ({ ...rate, place })))})
      as rate(id uuid, place integer, source text, carrier text, service text, "amountMinor" bigint, currency text,
              "etaDays" integer)
    where not exists (select from shipping.rates where request_id = ${requestId})`
  const kept = await tx<(Omit<Rate, 'expiresAt'> & { readonly expiresAt: Date })[]>`
    select id as "rateId", source, carrier, service, amount_minor as "amountMinor", currency, eta_days as "etaDays",
      expires_at as "expiresAt"
    from shipping.rates where request_id = ${requestId} order by place`
  return kept.map(rate => ({ ...rate, expiresAt: rate.expiresAt.toISOString() }))
}

/** Deletes some of the rates that expired a day ago or earlier; answers how many. */
export async function forgetRates(tx: Tx, most: number): Promise<number> {
  const deleted = await tx`
    delete from shipping.rates where id = any(array(
      select id from shipping.rates where expires_at < now() - interval '1 day'
      order by expires_at limit ${most} for update skip locked))`
  return deleted.count
}
