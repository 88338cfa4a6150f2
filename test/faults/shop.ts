import { v7 as uuidv7 } from 'uuid'
import type { Mailbox } from '../../deploy/local/mailbox.ts'
import { place } from '../../queues/orders.ts'
import { modules } from '../../workers/index.ts'
import { broken, putOnSale } from '../trade.ts'
import { type Child, startChild } from './children.ts'
import type { PrivateServers } from './servers.ts'
import { aroundEach, isPoll, type Moment, openTaps, type Taps } from './steps.ts'
import { openWorld, until, type World } from './world.ts'

export const onHand = 10
export const quantity = 2
/** What an order passes through. */
export const services = modules.filter(({ contract }) =>
  ['catalog', 'orders', 'payments', 'notifications'].includes(contract.name),
)

/** Where a shop is opened: servers that may be hurt, and a mailbox that may not. */
export interface Premises {
  readonly servers: PrivateServers
  readonly mailbox: Mailbox
}

export interface Shop {
  readonly world: World
  readonly taps: Taps
  /** All of the application in one process, behind the taps. */
  readonly child: Child
  readonly close: () => Promise<void>
}

/** Opens a shop, warm from an order for something else. A provider that does not answer is asked again soon. */
export async function openShop({ servers, mailbox }: Premises): Promise<Shop> {
  const world = await openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })
  for (const sku of ['TEA', 'WARM']) await putOnSale(world.sql, { sku, onHand })
  const taps = await openTaps(world)
  const child = await startChild('deploy/single.ts', {
    DATABASE_URL: taps.databaseUrl,
    REDIS_URL: taps.redisUrl,
    QUEUE_PREFIX: world.redis.prefix,
    SMTP_URL: mailbox.url,
    ...promptInquiries,
  })
  await untilDone(world, await buy(world, 'WARM'))
  await Bun.sleep(200)
  const close = async () => {
    child.kill('SIGKILL')
    await child.ended
    taps.close()
    await world.close()
  }
  return { world, taps, child, close }
}

export const promptInquiries = {
  PAYMENT_TIMEOUT_MS: '300',
  PAYMENT_INQUIRIES_MS: `100,200,500${',1000'.repeat(20)}`,
}

export interface Order {
  readonly id: string
  readonly email: string
}

/** Somebody new buys two pieces. */
export async function buy(world: World, sku: string, card = 'pm_card_ok'): Promise<Order> {
  const customerId = uuidv7()
  const email = `${customerId}@example.com`
  await world.sql`insert into notifications.contacts values (${customerId}, ${email}, 'Some Buyer', now())`
  const input = { lines: [{ sku, quantity }], paymentMethod: card }
  return { id: await world.ask(place, input, { actorId: customerId }), email }
}

/** The mail is the last thing of all. */
export const untilDone = ({ sql }: World, { id }: Order): Promise<void> =>
  until(async () => {
    const [row] = await sql<{ mailed: number; open: number }[]>`
      select count(*) filter (where type like 'notifications.%') as mailed,
        count(*) filter (where settled_at is null) as open
      from journal.commands where correlation_id = ${id}`
    return row?.mailed === 1 && row.open === 0
  }, 60_000)

/** What an order for TEA left behind. */
export interface Ending {
  readonly state: string
  readonly available: number
  /** States of its reservations. */
  readonly pieces: string
  /** Charges that the provider took. */
  readonly charges: number
  readonly deadLetters: number
  /** What was noted of the mail. */
  readonly delivery: string
  /** Mails that arrived. */
  readonly mails: number
  readonly broken: readonly string[]
}

export async function endingOf({ sql }: World, { id, email }: Order, { mailbox }: Premises): Promise<Ending> {
  const [row] = await sql<Omit<Ending, 'mails' | 'broken'>[]>`
    select o.state, s.on_hand - s.reserved as available,
      (select string_agg(state, ',') from catalog.reservations r where r.order_id = o.id) as pieces,
      (select count(*) from payments.sandbox_charges c join payments.payments p on c.key = 'charge:' || p.id
        where p.order_id = o.id and c.decline_code is null) as charges,
      (select count(*) from journal.dead_letters) as "deadLetters",
      (select status from notifications.deliveries d where d.dedupe_key = o.id::text) as delivery
    from orders.orders o, catalog.stock s where o.id = ${id} and s.sku = 'TEA'`
  if (!row) throw new Error(`there is no order ${id}`)
  const mails = mailbox.messages().filter(({ to }) => to.includes(email)).length
  return { ...row, mails, broken: await broken(sql) }
}

/** Every moment of an order that is paid with this card, in order; asking for work is none. */
export async function momentsOfAnOrder(premises: Premises, card = 'pm_card_ok'): Promise<readonly Moment[]> {
  const shop = await openShop(premises)
  const steps = shop.taps.record()
  await untilDone(shop.world, await buy(shop.world, 'TEA', card))
  await Bun.sleep(200)
  await shop.close()
  return aroundEach(steps).filter(moment => !isPoll(moment))
}
