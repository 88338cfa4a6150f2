import { afterAll, beforeAll, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { type Mailbox, startMailbox } from '../../deploy/local/mailbox.ts'
import { place } from '../../queues/orders.ts'
import { modules } from '../../workers/index.ts'
import { broken } from '../trade.ts'
import { endChildren, startChild } from './children.ts'
import { type PrivateServers, startPrivateServers } from './servers.ts'
import { staggered } from './staggered.ts'
import { type Moment, nameOf, openTaps } from './steps.ts'
import { openWorld, until, type World } from './world.ts'

let servers: PrivateServers
let mailbox: Mailbox
beforeAll(async () => {
  ;[servers, mailbox] = await Promise.all([startPrivateServers(), startMailbox({ port: 0 })])
})
afterAll(async () => {
  await endChildren()
  await Promise.all([servers.stop(), mailbox.stop()])
})

const onHand = 10
const quantity = 2
const services = modules.filter(({ contract }) =>
  ['catalog', 'orders', 'payments', 'notifications'].includes(contract.name),
)

/** The mail is begun, and of one that was begun nobody can tell whether it went out. */
const mailIsBegun = 'postgres with asked as'
const mailIsEnded = 'postgres update notifications.deliveries d'

test('Waybill killed after each step of an order, from its placing to its receipt: paid once, with its pieces and one mail', async () => {
  const moments = await momentsOfAnOrder()
  expect(moments.filter(({ step }) => step === 'postgres commit').length).toBeGreaterThan(2)
  expect(moments.map(({ step }) => step)).toEqual(expect.arrayContaining([mailIsBegun, mailIsEnded]))
  const endings = await staggered(4, moments, dieAt)
  expect(endings.filter(({ died }) => !died).map(({ moment }) => nameOf(moment))).toEqual([])
  const expected = moments.map(moment => ({ at: nameOf(moment), ...paidOnce, ...mailAfter(moment) }))
  expect(endings.map(({ moment, ending }) => ({ at: nameOf(moment), ...ending }))).toEqual(expected)
})

const paidOnce = {
  state: 'paid',
  available: onHand - quantity,
  pieces: 'committed',
  charges: 1,
  deadLetters: 0,
  broken: [],
}

/** Told twice is worse than not told: a mail in doubt is not sent again. */
function mailAfter({ step, when }: Moment): { delivery: string; mails: number } {
  if (step === mailIsBegun) return { delivery: 'unknown', mails: 0 }
  if (step === mailIsEnded && when === 'before') return { delivery: 'unknown', mails: 1 }
  return { delivery: 'sent', mails: 1 }
}

/** After each statement of a worker, and once between a mail and its note. What it tells Redis is the same for every command. */
async function momentsOfAnOrder(): Promise<readonly Moment[]> {
  const { world, taps, child } = await openShop()
  const steps = taps.record()
  await untilDone(world, await buy(world, 'TEA'))
  await Bun.sleep(200)
  child.kill('SIGKILL')
  await child.ended
  taps.close()
  await world.close()
  return steps.flatMap((step, at): readonly Moment[] => {
    const nth = steps.slice(0, at + 1).filter(each => each === step).length
    const after: Moment = { step, nth, when: 'after' }
    if (!step.startsWith('postgres')) return []
    return step === mailIsEnded ? [{ ...after, when: 'before' }, after] : [after]
  })
}

/** The application dies at that moment; then its services come back. */
async function dieAt(moment: Moment) {
  const { world, taps, child } = await openShop()
  taps.arm(moment, () => child.kill('SIGKILL'))
  const order = await buy(world, 'TEA')
  const died = await Promise.race([child.ended.then(() => true), Bun.sleep(3_000).then(() => false)])
  child.kill('SIGKILL')
  return async () => {
    await world.start(services, {}, { SMTP_URL: mailbox.url })
    await untilDone(world, order)
    const ending = await endingOf(world, order)
    taps.close()
    await world.close()
    return { moment, died, ending }
  }
}

/** All of the application in one process, behind taps, warm from an order for something else. */
async function openShop() {
  const world = await openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })
  for (const sku of ['TEA', 'WARM']) {
    await world.sql`insert into catalog.products (id, sku, title, price_minor, currency, created_at)
      values (${uuidv7()}, ${sku}, 'Green tea', 350, 'EUR', now())`
    await world.sql`insert into catalog.stock (sku, on_hand) values (${sku}, ${onHand})`
  }
  const taps = await openTaps(world)
  const child = await startChild('deploy/single.ts', {
    DATABASE_URL: taps.databaseUrl,
    REDIS_URL: taps.redisUrl,
    QUEUE_PREFIX: world.redis.prefix,
    SMTP_URL: mailbox.url,
  })
  await untilDone(world, await buy(world, 'WARM'))
  await Bun.sleep(200)
  return { world, taps, child }
}

async function buy(world: World, sku: string): Promise<Order> {
  const customerId = uuidv7()
  const email = `${customerId}@example.com`
  await world.sql`insert into notifications.contacts values (${customerId}, ${email}, 'Some Buyer', now())`
  const input = { lines: [{ sku, quantity }], paymentMethod: 'pm_card_ok' }
  return { id: await world.ask(place, input, { actorId: customerId }), email }
}

interface Order {
  readonly id: string
  readonly email: string
}

/** The mail is the last thing of all. */
const untilDone = ({ sql }: World, { id }: Order): Promise<void> =>
  until(async () => {
    const [row] = await sql<{ mailed: number; open: number }[]>`
      select count(*) filter (where type like 'notifications.%') as mailed,
        count(*) filter (where settled_at is null) as open
      from journal.commands where correlation_id = ${id}`
    return row?.mailed === 1 && row.open === 0
  }, 40_000)

async function endingOf({ sql }: World, { id, email }: Order): Promise<object> {
  const [row] = await sql`
    select o.state, s.on_hand - s.reserved as available,
      (select string_agg(state, ',') from catalog.reservations r where r.order_id = o.id) as pieces,
      (select count(*) from payments.sandbox_charges c join payments.payments p on c.key = 'charge:' || p.id
        where p.order_id = o.id) as charges,
      (select count(*) from journal.dead_letters) as "deadLetters",
      (select status from notifications.deliveries d where d.dedupe_key = o.id::text) as delivery
    from orders.orders o, catalog.stock s where o.id = ${id} and s.sku = 'TEA'`
  const mails = mailbox.messages().filter(({ to }) => to.includes(email)).length
  return { ...row, mails, broken: await broken(sql) }
}
