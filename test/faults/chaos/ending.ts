import { checkInvariants } from '../../../db/invariants.ts'
import { booksOf } from './books.ts'
import type { Stage } from './stage.ts'

/** How a story may end, as a person would see it. */
export interface Right {
  readonly state: string
  readonly paymentStatus: string
  /** Where its pieces are: `held`, `committed`, `fulfilled` or `released`. */
  readonly pieces: string
  /** How many others can buy now. */
  readonly sellable: number
  /** What the provider has taken, and given back, by its own books, minor units. */
  readonly takenMinor: number
  readonly backMinor: number
  /** What is still set aside by them. */
  readonly asideMinor: number
  /** What people have to look at. */
  readonly cases: readonly string[]
  /** What the customer was told, each once. */
  readonly mails: readonly string[]
  /** The states of its parcels and tickets. */
  readonly shipments: readonly string[]
  /** Labels that the carrier has sold. */
  readonly labels: number
}

/** What an order has left behind. */
export interface Ending extends Right {
  /** Mails that were begun and of which nobody can tell whether they went out: they are not sent again. */
  readonly inDoubt: readonly string[]
  readonly deadLetters: readonly string[]
  /** Invariants, and the books of the provider against ours. */
  readonly broken: readonly string[]
  readonly complaints: readonly string[]
}

export type Verdict = 'right' | 'lost' | 'doubled' | 'broken'

export async function endingOf(stage: Stage): Promise<Ending> {
  const { orderId, sku, shop, customer, complaints } = stage
  const { sql } = shop.world
  const { state, paymentStatus, shipments } = await customer.orders.get(orderId)
  const [row] = await sql<Pick<Ending, 'pieces' | 'sellable' | 'cases' | 'deadLetters'>[]>`
    select (select on_hand - reserved from catalog.stock where sku = ${sku}) as sellable,
      (select string_agg(distinct r.state, ',') from catalog.reservations r where r.order_id = ${orderId}) as pieces,
      array(select c.kind from orders.cases c where c.order_id = ${orderId} order by 1) as cases,
      (select coalesce(array_agg(d.type || ': ' || (d.error ->> 'message')), '{}')
        from journal.dead_letters d) as "deadLetters"`
  if (!row) throw new Error('nothing was selected')
  const { disagreements, ...money } = await booksOf(stage)
  return {
    ...row,
    ...money,
    state,
    paymentStatus,
    ...(await mailsOf(stage)),
    shipments: shipments.map(each => each.state),
    labels: (await stage.labelsSold()) - stage.labelsBefore,
    broken: [...(await brokenInvariants(stage)), ...disagreements],
    complaints,
  }
}

async function brokenInvariants({ shop }: Stage): Promise<readonly string[]> {
  const findings = await checkInvariants(shop.world.sql, { since: new Date(0), eachMs: 20_000 })
  return findings
    .filter(({ state }) => state !== 'holds')
    .map(({ name, state, broken }) => `${name} ${state}: ${broken.join(', ')}`)
}

/** Those that arrived, by what they are about. */
async function mailsOf({ orderId, email, shop }: Stage): Promise<Pick<Ending, 'mails' | 'inDoubt'>> {
  const deliveries = await shop.world.sql<{ id: string; workflow: string; status: string }[]>`
    select id, workflow, status from notifications.deliveries where dedupe_key = ${orderId} order by id`
  const arrived = shop.premises.mailbox.messages().filter(({ to }) => to.includes(email))
  return {
    mails: arrived.map(
      ({ raw, subject }) =>
        deliveries.find(({ id }) => raw.includes(`Message-ID: <${id}@`))?.workflow ?? subject,
    ),
    inDoubt: deliveries.filter(({ status }) => status === 'unknown').map(({ workflow }) => workflow),
  }
}

/** What an ending is called, of a story that may end in these ways. */
export function judge(ending: Ending, rights: readonly Right[]): Verdict {
  if (rights.every(right => isMoreThan(ending, right))) return 'doubled'
  if (ending.broken.length > 0 || ending.deadLetters.length > 0 || ending.complaints.length > 0)
    return 'broken'
  return rights.some(right => isRight(ending, right)) ? 'right' : 'lost'
}

const isMoreThan = ({ takenMinor, backMinor, mails, shipments, labels }: Ending, right: Right): boolean =>
  takenMinor > right.takenMinor ||
  backMinor > right.backMinor ||
  shipments.length > right.shipments.length ||
  labels > right.labels ||
  mails.some((mail, at) => mails.indexOf(mail) !== at)

const isRight = (ending: Ending, right: Right): boolean =>
  ending.state === right.state &&
  ending.paymentStatus === right.paymentStatus &&
  ending.pieces === right.pieces &&
  ending.sellable === right.sellable &&
  ending.takenMinor === right.takenMinor &&
  ending.backMinor === right.backMinor &&
  ending.asideMinor === right.asideMinor &&
  ending.cases.join() === right.cases.join() &&
  ending.shipments.join() === right.shipments.join() &&
  ending.labels === right.labels &&
  ending.mails.every(mail => right.mails.includes(mail)) &&
  right.mails.every(mail => ending.mails.includes(mail) || ending.inDoubt.includes(mail))
