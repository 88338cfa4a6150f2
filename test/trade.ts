import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../db/client.ts'
import { checkInvariants } from '../db/invariants.ts'
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
import { refundedMinor } from '../workers/payments/simulator/charge.ts'
import { type TestKernel, testKernel } from './harness.ts'
import { chargesOf } from './simulator.ts'

export const somebody = (): Actor => ({ id: uuidv7(), scopes: [] })

/** Catalog, orders and payments at work. Payments ask the provider again soon when it does not answer. */
export const tradeKernel = ({
  wrap = provider => provider,
  timeoutMs = 250,
}: {
  readonly wrap?: (provider: Provider) => Provider
  readonly timeoutMs?: number
} = {}): Promise<TestKernel> =>
  testKernel({
    services: [catalogService, ordersService, paymentsAt(wrap)],
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
    wrap: (provider: Provider): Provider => ({
      ...provider,
      charge: async (request, signal) => {
        const gate = gates.get(request.paymentMethod)
        await gate?.promise
        return provider.charge(gate ? { ...request, paymentMethod: 'pm_card_ok' } : request, signal)
      },
    }),
  }
}

/** A product in the tables as they are, for tests in which no catalog is at work. */
export async function putOnSale(
  sql: Sql,
  { sku, onHand }: { readonly sku: string; readonly onHand: number },
): Promise<void> {
  await sql`
    with product as (
      insert into catalog.products (id, sku, title, price_minor, currency, created_at)
      values (${uuidv7()}, ${sku}, 'Green tea', 350, 'EUR', now()) returning id, sku, price_minor, currency
    ), priced as (
      insert into catalog.prices (product_id, version, price_minor, currency, since)
      select id, 1, price_minor, currency, now() from product
    )
    insert into catalog.stock (sku, on_hand) select sku, ${onHand} from product`
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
  'catalog.stores',
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
  'orders.shipments',
  'orders.shipment_lines',
  'orders.returns',
  'orders.return_lines',
  'orders.cases',
  'orders.discounts',
  'orders.discount_uses',
  'payments.payments',
  'payments.captures',
  'payments.voids',
  'payments.refunds',
  'payments.disputes',
  'payments.charge_references',
  'payments.provider_events',
  'payments.payouts',
  'payments.transfers',
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

/** What is broken of all invariants, and of what must hold besides when no command is open. */
export async function broken(sql: Sql): Promise<readonly string[]> {
  const findings = await checkInvariants(sql, { since: new Date(0), eachMs: 20_000 })
  const atRest = await sql<{ what: string }[]>`
    select 'charge of order ' || o.id as what from orders.orders o join payments.payments p on p.order_id = o.id
    where o.charging or p.status in ('processing', 'unknown') or p.refund_pending_minor > 0`
  const taken = await takenFor(sql)
  const orders = await sql<{ id: string; owedMinor: number }[]>`
    select id, case when state not in ('paid', 'fulfilling', 'completed') then 0
                    when capture = 'manual' then captured_minor else total_minor end as "owedMinor"
    from orders.orders`
  const atProvider = orders
    .filter(({ id, owedMinor }) => (taken.get(id) ?? 0) !== owedMinor)
    .map(({ id }) => `money of order ${id}`)
  return [
    ...findings
      .filter(({ state }) => state !== 'holds')
      .map(({ name, state, broken }) => `${name} ${state}: ${broken.join(', ')}`),
    ...atRest.map(({ what }) => what),
    ...atProvider,
  ]
}

/** What the provider holds for each order: captured, and not sent back. */
async function takenFor(sql: Sql): Promise<ReadonlyMap<string, number>> {
  const payments = await sql<{ id: string; orderId: string }[]>`
    select id, order_id as "orderId" from payments.payments where provider = 'simulator'`
  const orderOf = new Map(payments.map(({ id, orderId }) => [`charge:${id}`, orderId]))
  const taken = new Map<string, number>()
  for (const charge of chargesOf(payments.map(({ id }) => id))) {
    const orderId = orderOf.get(charge.key) ?? ''
    taken.set(orderId, (taken.get(orderId) ?? 0) + charge.capturedMinor - refundedMinor(charge))
  }
  return taken
}
