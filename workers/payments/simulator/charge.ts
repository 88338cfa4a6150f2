/** A charge as the simulator keeps it; what callers see of it is `viewOf`. */
export interface Charge {
  readonly key: string
  readonly reference: string
  readonly amountMinor: number
  readonly currency: string
  readonly paymentMethod: string
  readonly capture: 'automatic' | 'manual'
  status: 'action_required' | 'processing' | 'authorized' | 'captured' | 'declined' | 'voided'
  declineCode: string | null
  /** ISO 8601; null unless money is set aside. */
  captureBefore: string | null
  authorizedMinor: number
  capturedMinor: number
  readonly captures: { readonly key: string; readonly amountMinor: number }[]
  readonly refunds: Refund[]
  readonly disputes: Dispute[]
  /** How often it was asked for. */
  calls: number
  /** Answers by idempotency key, with what was asked. */
  readonly answers: Record<string, { readonly terms: string; readonly answer: Answer }>
  /** What will happen to it by itself. */
  readonly due: Due[]
}

export interface Refund {
  readonly key: string
  readonly reference: string
  readonly amountMinor: number
  status: 'pending' | 'succeeded' | 'failed'
}

export interface Dispute {
  readonly reference: string
  readonly amountMinor: number
  readonly reason: string
  status: 'needs_response' | 'under_review' | 'won' | 'lost'
}

export interface Due {
  readonly atMs: number
  readonly what: 'decide' | 'dispute' | 'lapse' | 'refund_succeeds' | 'refund_fails'
  /** Of a refund. */
  readonly reference?: string
}

/** What an operation answers, as JSON. */
export type Answer = Readonly<Record<string, string | number | null>>

/** What a charge is, without what it remembers and awaits. */
export const viewOf = ({ answers: _, due: __, ...view }: Charge) => view
export type View = ReturnType<typeof viewOf>
/** As it is shown: with where the buyer can approve it, if that is what it waits for. */
export type ChargeBody = View & { readonly url: string | null }

/** What went back of it, or is on its way. */
export const refundedMinor = ({ refunds }: Charge): number =>
  refunds.reduce((sum, { status, amountMinor }) => sum + (status === 'failed' ? 0 : amountMinor), 0)

export const isDisputed = ({ disputes }: Charge): boolean => disputes.some(({ status }) => status !== 'won')
