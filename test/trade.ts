import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../db/client.ts'
import type { Actor } from '../queues/access.ts'
import { createProduct } from '../queues/catalog.ts'
import type { Command, InputOf, OutputOf } from '../queues/command.ts'
import { place } from '../queues/orders.ts'
import type { Effects, Job, Outcome } from '../queues/outcome.ts'
import type { CommandView } from '../queues/story.ts'
import { startTrace } from '../queues/trace.ts'
import { catalogService } from '../workers/catalog/index.ts'
import { ordersService } from '../workers/orders/index.ts'
import { paymentsAt } from '../workers/payments/index.ts'
import type { Provider } from '../workers/payments/provider.ts'
import { type TestKernel, testKernel } from './harness.ts'

export const somebody = (): Actor => ({ id: uuidv7(), scopes: [] })

/** Catalog, orders and payments at work. Payments ask the provider again soon when it does not answer. */
export const tradeKernel = ({
  choose = sandbox => sandbox,
  timeoutMs = 250,
}: {
  readonly choose?: (sandbox: Provider) => Provider
  readonly timeoutMs?: number
} = {}): Promise<TestKernel> =>
  testKernel({
    services: [catalogService, ordersService, paymentsAt(choose)],
    env: { PAYMENT_TIMEOUT_MS: String(timeoutMs), PAYMENT_INQUIRIES_MS: `20,50,100,200${',400'.repeat(20)}` },
  })

/** A provider that does not take the charges of card pm_held_* before the test opens that card. */
export function gatedProvider() {
  const gates = new Map<string, PromiseWithResolvers<void>>()
  return {
    /** A card that is held until `open`. */
    hold: () => {
      const card = `pm_held_${gates.size}`
      const gate = Promise.withResolvers<void>()
      gates.set(card, gate)
      return { card, open: gate.resolve }
    },
    choose: (sandbox: Provider): Provider => ({
      ...sandbox,
      charge: async (request, signal) => {
        const gate = gates.get(request.paymentMethod)
        await gate?.promise
        return sandbox.charge(gate ? { ...request, paymentMethod: 'pm_card_ok' } : request, signal)
      },
    }),
  }
}

let products = 0
/** A product for one test, by its SKU. */
export async function addProduct(
  kernel: TestKernel,
  { priceMinor = 350, currency = 'EUR', onHand = 100 } = {},
): Promise<{ readonly id: string; readonly sku: string }> {
  const sku = `TEST-${++products}`
  const { id } = await kernel.run(createProduct, { sku, title: 'Green tea', priceMinor, currency, onHand })
  return { id, sku }
}

export const buy = (
  kernel: TestKernel,
  lines: NonNullable<InputOf<typeof place>['lines']>,
  { actor = somebody(), card = 'pm_card_ok' }: { readonly actor?: Actor; readonly card?: string } = {},
): Promise<CommandView> => kernel.run(place, { lines, paymentMethod: card }, { actor })

/** A command as its handler sees it, for tests that call handlers themselves. */
export const jobOf = <C extends Command>(input: InputOf<C>, given: Partial<Job<C>> = {}): Job<C> => ({
  id: uuidv7(),
  input,
  actor: somebody(),
  run: 1,
  acceptedAt: new Date(),
  now: new Date(),
  traceparent: startTrace(),
  signal: new AbortController().signal,
  ...given,
})

/** Carries out what a handler returned, as the kernel does: in a transaction that a refusal rolls back. */
export async function carryOut<C extends Command>(
  sql: Sql,
  returned: Outcome<C> | Effects<C>,
): Promise<Outcome<C>> {
  if (typeof returned !== 'function') return returned
  let outcome: Outcome<C> | undefined
  try {
    await sql.begin(async tx => {
      outcome = await returned(tx)
      if (outcome.kind === 'rejected') throw outcome
    })
  } catch (thrown) {
    if (thrown !== outcome) throw thrown
  }
  return outcome as Outcome<C>
}

/** The output of a command that is done; throws what it answered instead. */
export function outputOf<C extends Command>(outcome: Outcome<C>): OutputOf<C> {
  if (outcome.kind !== 'done') throw new Error(`not done: ${JSON.stringify(outcome)}`)
  return outcome.output
}

const tables = [
  'catalog.products',
  'catalog.prices',
  'catalog.product_categories',
  'catalog.stock',
  'catalog.reservations',
  'orders.orders',
  'orders.lines',
  'orders.history',
  'orders.quotes',
  'orders.quote_lines',
  'payments.payments',
  'payments.refunds',
  'payments.transfers',
  'payments.sandbox_charges',
  'payments.sandbox_refunds',
]
/** Every row of these services, to see that nothing changed. */
export async function dump(sql: Sql): Promise<Record<string, unknown>> {
  const rows = await Promise.all(
    tables.map(async table => {
      const found = await sql<{ row: string }[]>`
        select to_jsonb(t)::text as row from ${sql(table)} t order by 1`
      return [table, found.map(each => each.row)] as const
    }),
  )
  return Object.fromEntries(rows)
}

/** What is broken of the invariants I1 to I5; nothing when no command is open. */
export async function broken(sql: Sql): Promise<readonly string[]> {
  const rows = await sql<{ what: string }[]>`
    select 'I1 stock ' || s.sku as what from catalog.stock s
    where s.reserved > s.on_hand or s.reserved <> coalesce((
      select sum(quantity) from catalog.reservations r where r.sku = s.sku and r.state in ('held', 'committed')), 0)
    union all
    select 'I2 payment ' || p.id from payments.payments p
    where not (0 <= p.refunded_minor + p.refund_pending_minor and p.refunded_minor + p.refund_pending_minor <= p.captured_minor)
      or p.refunded_minor <> coalesce((select sum(amount_minor) from payments.refunds r
                                       where r.payment_id = p.id and r.status = 'succeeded'), 0)
      or p.refund_pending_minor <> coalesce((select sum(amount_minor) from payments.refunds r
                                             where r.payment_id = p.id and r.status = 'pending'), 0)
    union all
    select 'I3 payment ' || coalesce(p.id, t.payment_id) from payments.payments p full join (
      select payment_id, order_id, currency, sum(amount_minor) filter (where kind = 'capture') as captured,
             sum(amount_minor) filter (where kind = 'refund') as refunded
      from payments.transfers group by 1, 2, 3
    ) t on t.payment_id = p.id and t.order_id = p.order_id and t.currency = p.currency
    where (p.captured_minor, p.refunded_minor) is distinct from (coalesce(t.captured, 0), coalesce(t.refunded, 0))
    union all
    select 'I3 transfer of ' || t.kind || ' ' || t.source_id from payments.transfers t
    where t.amount_minor is distinct from case t.kind
      when 'capture' then (select captured_minor from payments.payments p where p.id = t.source_id)
      when 'refund' then (select amount_minor from payments.refunds r where r.id = t.source_id and r.status = 'succeeded') end
    union all
    select 'I3 account ' || account || ' in ' || currency from payments.account_balances b full join (
      select account, currency, sum(debits)::bigint as debits_minor, sum(credits)::bigint as credits_minor
      from payments.transfers t cross join lateral (
        values (t.debit, t.amount_minor, 0), (t.credit, 0, t.amount_minor)) as side(account, debits, credits)
      group by account, currency
    ) entries using (account, currency)
    where (b.debits_minor, b.credits_minor) is distinct from (entries.debits_minor, entries.credits_minor)
    union all
    select 'I3 trial balance in ' || currency from payments.account_balances
    group by currency having sum(debits_minor) <> sum(credits_minor)
    union all
    select 'I4 total of order ' || o.id from orders.orders o
    where o.total_minor <> (select sum(total_minor) from orders.lines l where l.order_id = o.id)
    union all
    select 'I4 charge ' || p.id from payments.payments p join orders.orders o on o.id = p.order_id
    where p.amount_minor <> o.total_minor or p.currency <> o.currency
    union all
    select 'I5 pieces of order ' || o.id from orders.orders o join catalog.reservations r on r.order_id = o.id
    where r.state <> all(case o.state when 'paid' then '{committed}'
      when 'cancelled' then '{released}' when 'expired' then '{released}' else '{held}' end::text[])
    union all
    select 'I5 charge of order ' || o.id from orders.orders o join payments.payments p on p.order_id = o.id
    where o.charging or p.status in ('processing', 'unknown') or p.refund_pending_minor > 0
    union all
    select 'money of order ' || o.id from orders.orders o
    where (case o.state when 'paid' then o.total_minor else 0 end) <>
      coalesce((select sum(c.amount_minor) from payments.payments p
                join payments.sandbox_charges c on c.key = 'charge:' || p.id and c.decline_code is null
                where p.order_id = o.id), 0)
      - coalesce((select sum(r.amount_minor) from payments.payments p
                  join payments.sandbox_refunds r on r.charge_key = 'charge:' || p.id where p.order_id = o.id), 0)
    union all
    select 'history of order ' || o.id from orders.orders o
    where (select count(*) from orders.history h where h.order_id = o.id) <> o.version
      or (select to_state from orders.history h where h.order_id = o.id order by seq desc limit 1) <> o.state`
  return rows.map(row => row.what)
}
