import type { Payment } from '../../queues/payments.ts'

/** What the payment row stores; how much went back is counted beside it. */
export type StoredStatus = 'processing' | 'unknown' | 'captured' | 'declined'

/** The provider knows our charges and refunds by these keys: of our own row, the same in every repeat. */
export const chargeKeyOf = (paymentId: string): string => `charge:${paymentId}`
export const refundKeyOf = (refundId: string): string => `refund:${refundId}`

/**
 * How long to wait before the provider is asked again, after so many calls without an answer; null when
 * the schedule has run out and a person has to look.
 */
export const inquiryDelayMs = (unanswered: number, scheduleMs: readonly number[]): number | null =>
  scheduleMs[unanswered - 1] ?? null

export const statusOf = ({
  status,
  capturedMinor,
  refundedMinor,
}: {
  readonly status: StoredStatus
  readonly capturedMinor: number
  readonly refundedMinor: number
}): Payment['status'] => {
  if (refundedMinor === 0) return status
  return refundedMinor < capturedMinor ? 'partially_refunded' : 'refunded'
}
