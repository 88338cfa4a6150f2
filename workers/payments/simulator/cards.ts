/** How an answer goes wrong: before or after what was asked for took effect. */
export type Mishap =
  | 'silent_before'
  | 'silent_after'
  | 'cut_before'
  | 'cut_after'
  | 'error_before'
  | 'error_after'
  | 'slow'

/** What a token of a card makes of its charge. */
export interface Card {
  /** For people. */
  readonly does: string
  /** What the bank says; taken at once, unless it says otherwise. */
  readonly bank?: 'declines' | 'challenges' | 'hesitates'
  /** Why it is declined, now or in the end. */
  readonly declineCode?: string
  readonly refunds?: 'fail' | 'fail_later' | 'succeed_later' | 'fail_after_success'
  readonly disputed?: boolean
  readonly mishap?: Mishap
  /** Only the first call goes wrong. */
  readonly once?: boolean
}

const all = {
  pm_card_ok: { does: 'is good for any amount' },
  pm_card_declined: { does: 'is declined: card_declined', bank: 'declines', declineCode: 'card_declined' },
  pm_card_insufficient_funds: {
    does: 'is declined: insufficient_funds',
    bank: 'declines',
    declineCode: 'insufficient_funds',
  },
  pm_card_timeout: { does: 'takes the money and stays silent', mishap: 'silent_after' },
  pm_card_timeout_before: {
    does: 'stays silent the first time, with nothing taken',
    mishap: 'silent_before',
    once: true,
  },
  pm_card_cut: { does: 'takes the money and cuts the connection', mishap: 'cut_after' },
  pm_card_500: { does: 'takes the money and answers with 500', mishap: 'error_after' },
  pm_card_slow: { does: 'takes the money and answers late', mishap: 'slow' },
  pm_card_3ds: { does: 'asks the buyer to approve', bank: 'challenges' },
  pm_card_3ds_refused: {
    does: 'asks the buyer to approve, and is declined all the same',
    bank: 'challenges',
    declineCode: 'authentication_failed',
  },
  pm_card_processing: { does: 'is taken a while later', bank: 'hesitates' },
  pm_card_processing_declined: {
    does: 'is declined a while later',
    bank: 'hesitates',
    declineCode: 'card_declined',
  },
  pm_card_dispute: { does: 'is disputed a while after it was captured', disputed: true },
  pm_card_refund_fails: { does: 'refuses its refunds', refunds: 'fail' },
  pm_card_refund_pending: {
    does: 'keeps refunds pending, which succeed a while later',
    refunds: 'succeed_later',
  },
  pm_card_refund_pending_fails: {
    does: 'keeps refunds pending, which fail a while later',
    refunds: 'fail_later',
  },
  pm_card_refund_bounces: {
    does: 'takes refunds, which fail a while later all the same',
    refunds: 'fail_after_success',
  },
} as const satisfies Readonly<Record<string, Card>>

/** The cards of the simulator by their tokens; any other is declined as unknown. */
export const cards: ReadonlyMap<string, Card> = new Map<string, Card>(Object.entries(all))

const unknownCard: Card = { does: '', bank: 'declines', declineCode: 'payment_method_unknown' }

export const cardOf = (paymentMethod: string): Card => cards.get(paymentMethod) ?? unknownCard
