import { v7 as uuidv7 } from 'uuid'
import type { Client } from '../../../client/client.ts'
import type { Operation } from '../../../client/types.ts'
import type { Command, InputOf, OutputOf } from '../../../queues/command.ts'
import type { place } from '../../../queues/orders.ts'
import { collectEvents, reconcile } from '../../../queues/payments.ts'
import { trackOverdue } from '../../../queues/shipments.ts'
import { putOnSale } from '../../trade.ts'
import { until } from '../world.ts'
import type { Shop } from './shop.ts'

export const onHand = 10
export const quantity = 2
export const priceMinor = 350
export const totalMinor = quantity * priceMinor

/** How an act ended: `succeeded`, `dead`, or the code of the refusal. */
export type Outcome = string

/** Where one story is played, in a shop that others were played in: its customer and its product are its own. */
export interface Stage {
  readonly shop: Shop
  readonly sku: string
  readonly email: string
  readonly customer: Client
  readonly merchant: Client
  /** The order that it is about, once it is placed. */
  readonly orderId: string
  /** Labels that the carrier of the shop had sold before. */
  readonly labelsBefore: number
  readonly labelsSold: () => Promise<number>
  /** What was found strange while it was played. */
  readonly complaints: string[]
  /** From here on faults strike. */
  readonly curtain: () => Promise<void>
  /** Asks, and waits for the outcome. */
  readonly act: (asked: Promise<{ readonly id: string }>) => Promise<Outcome>
  /** Asks, and waits for what it is answered. Throws if that is a refusal. */
  readonly answer: <C extends Command>(asked: Promise<Operation<C>>) => Promise<OutputOf<C>>
  /** Has the order accepted, which the stage is about from now on. */
  readonly order: (input: InputOf<typeof place>) => Promise<void>
  /** Orders two pieces, and waits for the outcome. */
  readonly place: (card: string) => Promise<Outcome>
  /** Waits until the order is seen in this state. */
  readonly reaches: (state: string) => Promise<void>
  /** Waits until this is answered with something else than null; meanwhile the clock goes on. */
  readonly sees: <T>(look: () => Promise<T | null>) => Promise<T>
  /** Waits until no command is open but those that are put off for long, or wait for the buyer. */
  readonly quiet: () => Promise<void>
  /** As if hours had passed: whoever should have told us something, and did not, is asked. */
  readonly hoursPass: () => Promise<void>
  /** As if nobody had paid, or no kitchen had accepted, for as long as they may take. */
  readonly timeIsUp: (inMs?: number) => Promise<void>
  /** What the clock would ask for now. */
  readonly clock: <C extends Command>(command: C, input: InputOf<C>) => Promise<void>
  /** All of them at once, a few milliseconds apart as the seed has it. */
  readonly atOnce: (acts: readonly (() => Promise<Outcome>)[]) => Promise<readonly Outcome[]>
}

/** On which terms a store sells. */
export interface Store {
  readonly kind: 'shop' | 'restaurant'
  readonly capture: 'automatic' | 'manual'
}

export interface StageOptions {
  /** The main store, which is a shop that takes money at once, unless it is said. */
  readonly store?: Store | undefined
  readonly chance: () => number
  readonly onCurtain?: () => Promise<void>
}

let products = 0

export async function openStage(
  shop: Shop,
  { store, chance, onCurtain = async () => {} }: StageOptions,
): Promise<Stage> {
  const { sql } = shop.world
  const customerId = uuidv7()
  const email = `${customerId}@example.com`
  const sku = `TEA-${++products}`
  await sql`insert into notifications.contacts values (${customerId}, ${email}, 'Some Buyer', now())`
  await putOnSale(sql, { sku, onHand })
  if (store) await sellIn(shop, sku, store)
  const [customer, merchant] = await Promise.all([
    shop.clientOf({ id: customerId, role: 'customer' }),
    shop.clientOf({ id: uuidv7(), role: 'merchant' }),
  ])
  let orderId: string | null = null
  const act: Stage['act'] = async asked => outcomeOf(shop, (await asked).id)
  const stage: Stage = {
    shop,
    sku,
    email,
    customer,
    merchant,
    labelsBefore: await labelsSold(shop),
    labelsSold: () => labelsSold(shop),
    complaints: [],
    get orderId() {
      if (orderId === null) throw new Error('no order is placed yet')
      return orderId
    },
    curtain: onCurtain,
    act,
    answer: async <C extends Command>(asked: Promise<Operation<C>>) => {
      const { id } = await asked
      const outcome = await outcomeOf(shop, id)
      if (outcome !== 'succeeded') throw new Error(`it was ${outcome}`)
      const [row] = await sql<{ output: OutputOf<C> }[]>`
        select result as output from journal.commands where id = ${id}`
      if (!row) throw new Error(`there is no command ${id}`)
      return row.output
    },
    order: async input => {
      orderId = (await customer.orders.place(input)).id
    },
    place: async card => {
      await stage.order({ lines: [{ sku, quantity }], paymentMethod: card })
      return outcomeOf(shop, stage.orderId)
    },
    reaches: async state => {
      await stage.sees(async () => {
        const found = await sql`select from orders.orders where id = ${orderId} and state = ${state}`
        return found.count === 1 ? state : null
      })
    },
    sees: async <T>(look: () => Promise<T | null>) => {
      let seen: T | null = null
      let hoursPassAt = Date.now() + hourMs
      await until(async () => {
        seen = await look()
        if (seen === null && Date.now() > hoursPassAt) {
          hoursPassAt = Date.now() + hourMs
          await hoursPass(shop)
        }
        return seen !== null
      }, patienceMs)
      return seen as T
    },
    quiet: () => quiet(shop),
    hoursPass: () => hoursPass(shop),
    timeIsUp: async (inMs = -1_000) => {
      const at = new Date(Date.now() + inMs)
      await sql`
        update orders.orders set expires_at = ${at}, accept_by = case when accept_by is not null then ${at}::timestamptz end
        where id = ${orderId}`
    },
    clock: async (command, input) => {
      await outcomeOf(shop, await shop.world.ask(command, input))
    },
    atOnce: acts =>
      Promise.all(
        acts.map(async each => {
          await Bun.sleep(chance() * spreadMs)
          return each()
        }),
      ),
  }
  return stage
}

/** On a busy machine a restart alone takes seconds. */
const patienceMs = 120_000
const spreadMs = 40
/** How soon hours pass for who waits: what comes by itself comes sooner. */
const hourMs = 3_000

const labelsSold = async ({ carrier }: Shop): Promise<number> => {
  const answer = await fetch(`${carrier.url}/labels`)
  return ((await answer.json()) as { sold: number }).sold
}

async function sellIn({ world: { sql } }: Shop, sku: string, { kind, capture }: Store): Promise<void> {
  const id = uuidv7()
  await sql`
    insert into catalog.stores (id, kind, name, capture, accept_within_ms, created_at)
    values (${id}, ${kind}, 'A store', ${capture}, ${kind === 'restaurant' ? 300_000 : null}, now())`
  await sql`update catalog.products set store_id = ${id} where sku = ${sku}`
}

async function outcomeOf({ world: { sql } }: Shop, id: string): Promise<Outcome> {
  let outcome: Outcome | undefined
  await until(async () => {
    const [row] = await sql<{ outcome: Outcome }[]>`
      select case state when 'rejected' then result ->> 'code' else state::text end as outcome
      from journal.commands where id = ${id} and settled_at is not null`
    outcome = row?.outcome
    return row !== undefined
  }, patienceMs)
  return outcome as Outcome
}

/** What is still to be done, for whoever waited for it. */
export async function openCommands({ world: { sql } }: Shop): Promise<string> {
  const open = await sql<{ type: string; state: string; because: string | null }[]>`
    select type, state, because from journal.commands where settled_at is null order by id limit 10`
  return open.map(({ type, state, because }) => [type, state, because].filter(Boolean).join(' ')).join(', ')
}

async function hoursPass(shop: Shop): Promise<void> {
  const { sql, ask } = shop.world
  await sql`update payments.payments set reconcile_at = now() where reconcile_at > now()`
  await sql`update shipping.shipments set track_at = now() where track_at > now()`
  await ask(reconcile, {})
  await ask(collectEvents, {})
  await ask(trackOverdue, {})
}

/**
 * Twice in a row: a command that follows another is there with the end of the other. Whoever waits for the buyer to
 * confirm is at rest.
 */
async function quiet({ world: { sql } }: Shop): Promise<void> {
  let looks = 0
  await until(async () => {
    const open = await sql`
      select from journal.commands where settled_at is null and due_at < now() + interval '1 minute'
        and because is distinct from 'the charge is action_required' limit 1`
    looks = open.count === 0 ? looks + 1 : 0
    return looks === 2
  }, patienceMs)
}
