import { chart, type Transfer, type TrialBalance } from '../../queues/ledger.ts'
import { allocate } from '../../queues/money.ts'
import type { Split } from '../../queues/payments.ts'

/** A payment that says nothing else is all of it sales. */
export const splitOf = (split: Split | null, amountMinor: number): Split =>
  split ?? [{ account: 'sales', amountMinor }]

/** What was posted of one part of a payment by transfers of one kind. */
export interface Posted {
  readonly part: number
  readonly kind: Transfer['kind']
  readonly amountMinor: number
}

export interface Posting {
  readonly part: number
  readonly debit: string
  readonly credit: string
  readonly amountMinor: number
}

interface Money {
  readonly provider: string
  readonly split: Split
  readonly posted: readonly Posted[]
}

/** A capture, pro rata over what is left of each part; the last one takes all of it. */
export const capturePostings = (money: Money, amountMinor: number): readonly Posting[] =>
  split(
    money,
    amountMinor,
    part => money.split[part]?.amountMinor ?? 0,
    ['capture'],
    account => ({
      debit: providerAccount(money.provider),
      credit: account,
    }),
  )

/** A refund, pro rata over what each part still has of what was captured. */
export const refundPostings = (money: Money, amountMinor: number): readonly Posting[] =>
  back(money, amountMinor, providerAccount(money.provider))

/** A dispute that was lost, out of the parts like a refund. */
export const lossPostings = (money: Money, amountMinor: number): readonly Posting[] =>
  back(money, amountMinor, 'disputes')

/** What the parts have not any more, for a refund and a lost dispute have crossed, is the shop's loss. */
function back(money: Money, amountMinor: number, credit: string): readonly Posting[] {
  const holdsOf = (part: number) => sumOf(money.posted, part, ['capture', 'refund_reversal'])
  const left = money.split.reduce((sum, _, part) => sum + holdsOf(part) - sumOf(money.posted, part, taken), 0)
  const shared = Math.min(amountMinor, left)
  const parts = split(money, shared, holdsOf, taken, account => ({ debit: backAccount(account), credit }))
  const excessMinor = amountMinor - shared
  if (excessMinor === 0) return parts
  return [...parts, { part: money.split.length, debit: 'refunds', credit, amountMinor: excessMinor }]
}

const taken: readonly Transfer['kind'][] = ['refund', 'dispute_lost']

function split(
  money: Money,
  amountMinor: number,
  holdsOf: (part: number) => number,
  spentBy: readonly Transfer['kind'][],
  sidesOf: (account: string) => { readonly debit: string; readonly credit: string },
): readonly Posting[] {
  const left = money.split.map((_, part) => holdsOf(part) - sumOf(money.posted, part, spentBy))
  return allocate(amountMinor, left)
    .map((share, part) => ({ ...sidesOf(money.split[part]?.account ?? ''), part, amountMinor: share }))
    .filter(each => each.amountMinor > 0)
}

const sumOf = (posted: readonly Posted[], part: number, kinds: readonly Transfer['kind'][]): number =>
  posted
    .filter(each => each.part === part && kinds.includes(each.kind))
    .reduce((sum, each) => sum + each.amountMinor, 0)

export const providerAccount = (provider: string): string => `provider:${provider}`
/** What goes back of sales lessens the income in an account of its own. */
const backAccount = (account: string): string => (account === 'sales' ? 'refunds' : account)

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
    debitsMinor: total(accounts.map(each => each.debitsMinor)),
    creditsMinor: total(accounts.map(each => each.creditsMinor)),
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

const total = (amounts: readonly number[]): number => amounts.reduce((sum, amount) => sum + amount, 0)
