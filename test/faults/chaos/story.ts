import type { Right } from './ending.ts'
import { type Stage, totalMinor } from './stage.ts'

/** A short script of what customer, merchant, courier, provider and clock do with one order. */
export interface Story {
  readonly name: string
  /** What happens, in a line. */
  readonly says: string
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
  takenMinor: totalMinor,
  backMinor: 0,
  mails: ['order-paid'],
}

export const declined: Right = {
  state: 'payment_failed',
  paymentStatus: 'none',
  pieces: 'held',
  takenMinor: 0,
  backMinor: 0,
  mails: ['payment-failed'],
}

/** Cancelled before anything was taken. */
export const cancelledUnpaid: Right = { ...declined, state: 'cancelled', pieces: 'released' }

/** Cancelled, and the money went back. */
export const sentBack: Right = {
  state: 'cancelled',
  paymentStatus: 'refunded',
  pieces: 'released',
  takenMinor: totalMinor,
  backMinor: totalMinor,
  mails: ['order-paid', 'order-cancelled'],
}
