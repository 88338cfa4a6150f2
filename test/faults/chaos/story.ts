import type { Right } from './ending.ts'
import { onHand, quantity, type Stage, type Store, totalMinor } from './stage.ts'

/** A short script of what customer, merchant, courier, provider and clock do with one order. */
export interface Story {
  readonly name: string
  /** What happens, in a line. */
  readonly says: string
  /** Where it is bought, if not in a shop that takes money at once. */
  readonly store?: Store
  /** Raises the curtain: what came before is in other stories. */
  readonly play: (stage: Stage) => Promise<unknown>
  /** How it may end; more than one, where its acts contradict each other. */
  readonly rights: readonly [Right, ...Right[]]
  /** Its acts come at the same time: it is played again and again, and not broken into. */
  readonly isAtOnce?: boolean
}

export const paid: Right = {
  state: 'paid',
  paymentStatus: 'captured',
  pieces: 'committed',
  sellable: onHand - quantity,
  takenMinor: totalMinor,
  backMinor: 0,
  asideMinor: 0,
  cases: [],
  mails: ['order-paid'],
  shipments: [],
  labels: 0,
}

export const declined: Right = {
  state: 'payment_failed',
  paymentStatus: 'none',
  pieces: 'held',
  sellable: onHand - quantity,
  takenMinor: 0,
  backMinor: 0,
  asideMinor: 0,
  cases: [],
  mails: ['payment-failed'],
  shipments: [],
  labels: 0,
}

/** Cancelled before anything was taken. */
export const cancelledUnpaid: Right = {
  ...declined,
  state: 'cancelled',
  pieces: 'released',
  sellable: onHand,
}

/** Cancelled, and the money went back. */
export const sentBack: Right = {
  state: 'cancelled',
  paymentStatus: 'refunded',
  pieces: 'released',
  sellable: onHand,
  takenMinor: totalMinor,
  backMinor: totalMinor,
  asideMinor: 0,
  cases: [],
  mails: ['order-paid', 'order-cancelled'],
  shipments: [],
  labels: 0,
}

/** Paid, and with its customer. */
export const completed: Right = { ...paid, state: 'completed', pieces: 'fulfilled', shipments: ['delivered'] }

/** Paid, and with its carrier or kitchen. */
export const sent: Right = { ...completed, state: 'fulfilling', shipments: ['handed_over'] }
