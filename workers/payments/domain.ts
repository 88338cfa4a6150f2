import { chart, type Payment, type Transfer, type TrialBalance } from '../../queues/payments.ts'

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

/** Which accounts a transfer of each kind debits and credits. */
export const postings = {
  capture: { debit: 'provider:sandbox', credit: 'sales' },
  refund: { debit: 'refunds', credit: 'provider:sandbox' },
} as const satisfies Record<Transfer['kind'], { readonly debit: string; readonly credit: string }>

export interface AccountSums {
  readonly account: string
  readonly currency: string
  readonly debitsMinor: number
  readonly creditsMinor: number
}

/** What the accounts hold, currency by currency, in the order in which they are given. */
export const trialBalanceOf = (sums: readonly AccountSums[]): TrialBalance => ({
  currencies: [...Map.groupBy(sums, each => each.currency)].map(([currency, accounts]) => ({
    currency,
    debitsMinor: sumOf(accounts.map(each => each.debitsMinor)),
    creditsMinor: sumOf(accounts.map(each => each.creditsMinor)),
    accounts: accounts.map(({ account, debitsMinor, creditsMinor }) => ({
      account,
      class: classOf(account),
      debitsMinor,
      creditsMinor,
      balanceMinor: debitsMinor - creditsMinor,
    })),
  })),
})

function classOf(account: string) {
  const [kind = ''] = account.split(':')
  if (!isInChart(kind)) throw new Error(`the chart of accounts has no ${account}`)
  return chart[kind].class
}

const isInChart = (kind: string): kind is keyof typeof chart => Object.hasOwn(chart, kind)

const sumOf = (amounts: readonly number[]): number => amounts.reduce((sum, amount) => sum + amount, 0)
