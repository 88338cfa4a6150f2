import { refundedMinor } from '../../../workers/payments/simulator/charge.ts'
import { chargesOf } from '../../simulator.ts'
import { broken } from '../../trade.ts'
import type { Stage } from './stage.ts'

/** How a story may end, as a person would see it. */
export interface Right {
  readonly state: string
  readonly paymentStatus: string
  /** Where its pieces are: `held`, `committed` or `released`. */
  readonly pieces: string
  /** What the provider has taken, and given back, by its own books, minor units. */
  readonly takenMinor: number
  readonly backMinor: number
  /** What the customer was told, each once. */
  readonly mails: readonly string[]
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
  const { orderId, shop, customer, complaints } = stage
  const { sql } = shop.world
  const { state, paymentStatus } = await customer.orders.get(orderId)
  const [row] = await sql<(Pick<Ending, 'pieces' | 'deadLetters'> & { payments: readonly string[] })[]>`
    select
      (select string_agg(distinct r.state, ',') from catalog.reservations r where r.order_id = ${orderId}) as pieces,
      array(select p.id::text from payments.payments p where p.order_id = ${orderId}) as payments,
      (select coalesce(array_agg(d.type || ': ' || (d.error ->> 'message')), '{}')
        from journal.dead_letters d) as "deadLetters"`
  if (!row) throw new Error('nothing was selected')
  const { payments, ...rest } = row
  const charges = chargesOf(payments)
  return {
    ...rest,
    state,
    paymentStatus,
    takenMinor: charges.reduce((sum, { capturedMinor }) => sum + capturedMinor, 0),
    backMinor: charges.reduce((sum, charge) => sum + refundedMinor(charge), 0),
    ...(await mailsOf(stage)),
    broken: await broken(sql),
    complaints,
  }
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

const isMoreThan = ({ takenMinor, backMinor, mails }: Ending, right: Right): boolean =>
  takenMinor > right.takenMinor ||
  backMinor > right.backMinor ||
  mails.some((mail, at) => mails.indexOf(mail) !== at)

const isRight = (ending: Ending, right: Right): boolean =>
  ending.state === right.state &&
  ending.paymentStatus === right.paymentStatus &&
  ending.pieces === right.pieces &&
  ending.takenMinor === right.takenMinor &&
  ending.backMinor === right.backMinor &&
  ending.mails.every(mail => right.mails.includes(mail)) &&
  right.mails.every(mail => ending.mails.includes(mail) || ending.inDoubt.includes(mail))
