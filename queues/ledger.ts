import { type Static, Type } from '@sinclair/typebox'
import { AmountMinor, Currency, closed, Id, Instant, oneOf, pageOf } from './schemas.ts'

/**
 * The chart of accounts: the part of an account's name before its colon, and what the account is. A debit adds to an
 * asset, a credit to a liability or an income; the balance of each is its debits less its credits.
 */
export const chart = {
  provider: {
    class: 'asset',
    holds: 'Money that a payment provider holds for us. One account each: `provider:stripe`.',
  },
  disputes: { class: 'asset', holds: 'What banks took back while they decide disputes.' },
  bank: { class: 'asset', holds: 'Money of ours at the bank: payouts go out of it.' },
  store: { class: 'liability', holds: 'What is owed to a store. One account each: `store:<id>`.' },
  tax: { class: 'liability', holds: 'What is owed to a state. One account each: `tax:DE`.' },
  sales: { class: 'income', holds: 'What customers were charged that is no store’s.' },
  refunds: { class: 'income', holds: 'What went back of sales, as a debit: it lessens the income.' },
  commission: { class: 'income', holds: 'What the platform keeps of what its stores sell.' },
} as const satisfies Record<
  string,
  { readonly class: 'asset' | 'liability' | 'income'; readonly holds: string }
>

export const Account = Type.String({
  pattern: `^(${Object.keys(chart).join('|')})(:[A-Za-z0-9][A-Za-z0-9_-]{0,63})?$`,
  description: 'Account of the ledger, such as `sales`, `tax:DE` or `provider:stripe`.',
})
export const AccountClass = oneOf(['asset', 'liability', 'income'], 'What kind of account it is.')
export const transferKinds = [
  'capture',
  'refund',
  'refund_reversal',
  'dispute',
  'dispute_won',
  'dispute_lost',
  'payout',
] as const
export const TransferKind = oneOf(transferKinds, 'Why the money moved.')
export const TransferNumber = Type.String({
  pattern: '^[1-9][0-9]{0,14}$',
  description: 'Number of a transfer in the ledger.',
})

export const Transfer = Type.Object(
  {
    id: TransferNumber,
    kind: TransferKind,
    sourceId: Type.Unsafe<string>({
      ...Id,
      description:
        'What moved it: the payment or its capture, the refund, dispute or payout. It has one transfer per part.',
    }),
    part: Type.Integer({ minimum: 0, description: 'Which part of the split of the payment it is.' }),
    paymentId: Type.Union([Id, Type.Null()], { description: 'Null: a payout.' }),
    orderId: Type.Union([Id, Type.Null()]),
    debit: Account,
    credit: Account,
    amountMinor: Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Minor units, debited to one account and credited to the other.',
    }),
    currency: Currency,
    postedAt: Instant,
  },
  { ...closed, $id: 'Transfer' },
)
export type Transfer = Static<typeof Transfer>
export const TransferPage = pageOf(Transfer)

const sums = { debitsMinor: AmountMinor, creditsMinor: AmountMinor }
export const TrialBalance = Type.Object(
  {
    currencies: Type.Array(
      Type.Object(
        {
          currency: Currency,
          ...sums,
          accounts: Type.Array(
            Type.Object(
              {
                account: Account,
                class: AccountClass,
                ...sums,
                balanceMinor: Type.Integer({
                  minimum: -Number.MAX_SAFE_INTEGER,
                  maximum: Number.MAX_SAFE_INTEGER,
                  description: 'Debits less credits, minor units; those of one currency add up to zero.',
                }),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
      { description: 'Those in which anything was posted; debits and credits of each are equal.' },
    ),
  },
  { ...closed, $id: 'TrialBalance' },
)
export type TrialBalance = Static<typeof TrialBalance>

export const Reconciliation = Type.Object(
  {
    checked: Type.Integer({ minimum: 0, description: 'Payments that were compared with their transfers.' }),
    items: Type.Array(
      Type.Object(
        {
          paymentId: Id,
          orderId: Id,
          currency: Currency,
          capturedMinor: AmountMinor,
          refundedMinor: AmountMinor,
          postedCapturedMinor: AmountMinor,
          postedRefundedMinor: AmountMinor,
          provider: Type.Union(
            [Type.Object({ capturedMinor: AmountMinor, refundedMinor: AmountMinor }, closed), Type.Null()],
            { description: 'What the provider said when it was asked last; null: the same as the payment.' },
          ),
        },
        closed,
      ),
      {
        description:
          'Those of them whose sums differ from what was posted, or from what the provider says: none, if all is well.',
      },
    ),
    unmatchedEvents: Type.Integer({
      minimum: 0,
      description: 'Webhooks of providers that are about no payment of ours.',
    }),
    nextCursor: Type.Union([Id, Type.Null()], {
      description: 'Give it as `cursor` to compare older payments; null on the last page.',
    }),
  },
  { ...closed, $id: 'Reconciliation' },
)
export type Reconciliation = Static<typeof Reconciliation>

/** Money that may be owed either way. */
export const signedMinor = (description: string) =>
  Type.Integer({ minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, description })
export const StoreStatement = Type.Object(
  {
    storeId: Id,
    currency: Currency,
    takenMinor: signedMinor(
      'Its part of what customers were charged, without tax and commission; minor units.',
    ),
    refundedMinor: signedMinor('Its part of what went back to customers.'),
    disputedMinor: signedMinor('Its part of disputes that customers have won.'),
    commissionMinor: signedMinor('What the platform kept of its sales.'),
    paidOutMinor: signedMinor('What it was paid.'),
    owedMinor: signedMinor(
      'What is owed to it now: taken less refunded, disputed and paid out. Below zero, it owes.',
    ),
  },
  { ...closed, $id: 'StoreStatement' },
)
export type StoreStatement = Static<typeof StoreStatement>
