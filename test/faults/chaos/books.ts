import { type Charge, refundedMinor } from '../../../workers/payments/simulator/charge.ts'
import type { Stage } from './stage.ts'

/** The money of an order by the books of its provider, minor units. */
export interface Books {
  /** Captured, and given back. */
  readonly takenMinor: number
  readonly backMinor: number
  /** Set aside, and neither captured nor let go. */
  readonly asideMinor: number
  /** What our books say otherwise, or still wait for. */
  readonly disagreements: readonly string[]
}

interface Ours {
  readonly id: string
  readonly status: string
  readonly capturedMinor: number
  readonly refundedMinor: number
  readonly pendingMinor: number
}

export async function booksOf({ orderId, shop }: Stage): Promise<Books> {
  const rows = await shop.world.sql<Ours[]>`
    select id, status, captured_minor as "capturedMinor", refunded_minor as "refundedMinor",
      capture_pending_minor + refund_pending_minor as "pendingMinor"
    from payments.payments where order_id = ${orderId}`
  const theirs = [...shop.provider.charges()]
  const pairs = rows.map(ours => ({ ours, their: theirs.find(({ key }) => key === `charge:${ours.id}`) }))
  const charges = pairs.flatMap(({ their }) => (their ? [their] : []))
  return {
    takenMinor: sum(charges.map(each => each.capturedMinor)),
    backMinor: sum(charges.map(refundedMinor)),
    asideMinor: sum(charges.map(asideMinor)),
    disagreements: pairs
      .filter(({ ours, their }) => !agree(ours, their))
      .map(
        ({ ours, their }) =>
          `payment ${JSON.stringify(ours)}, which the provider has as ${JSON.stringify(their)}`,
      ),
  }
}

const agree = (ours: Ours, their: Charge | undefined): boolean =>
  ours.pendingMinor === 0 &&
  ours.capturedMinor === (their?.capturedMinor ?? 0) &&
  ours.refundedMinor === (their ? refundedMinor(their) : 0) &&
  endOf(ours.status) === endOf(their?.status ?? 'declined')

/** A charge that nobody confirmed is declined to us, and let go to the provider; and we have more words. */
const endOf = (status: string): string =>
  status === 'partially_captured' ? 'authorized' : status === 'voided' ? 'declined' : status

const asideMinor = ({ status, authorizedMinor, capturedMinor }: Charge): number =>
  status === 'authorized' ? authorizedMinor - capturedMinor : 0

const sum = (amounts: readonly number[]): number => amounts.reduce((total, each) => total + each, 0)
