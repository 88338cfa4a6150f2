import { type Static, Type } from '@sinclair/typebox'
import { command, event, service } from './command.ts'
import { retry } from './retry.ts'
import { AmountMinor, Currency, closed, Id, Instant, oneOf, pageOf } from './schemas.ts'

/** A reference to a card kept by the provider; card numbers never come here. */
export const PaymentMethod = Type.String({
  pattern: '^pm_[A-Za-z0-9_]{1,60}$',
  description:
    'Token of a card at the provider. The sandbox knows pm_card_ok, pm_card_declined and pm_card_timeout.',
})
const Attempt = Type.Integer({
  minimum: 1,
  maximum: 1_000,
  description: 'Which charge of the order this is; asked for twice under one number, it is one charge.',
})
const money = { amountMinor: AmountMinor, currency: Currency }
const payment = { paymentId: Id, orderId: Id, ...money }

export const PaymentStatus = oneOf(
  ['processing', 'unknown', 'captured', 'declined', 'partially_refunded', 'refunded'],
  '`unknown`: the provider did not answer; it is asked again until it does.',
)
export const Payment = Type.Object(
  {
    id: Id,
    orderId: Id,
    ...money,
    status: PaymentStatus,
    refundedMinor: AmountMinor,
    declineCode: Type.Union([Type.String(), Type.Null()]),
    createdAt: Instant,
  },
  { ...closed, $id: 'Payment' },
)
export type Payment = Static<typeof Payment>
export const PaymentPage = pageOf(Payment)

export const CaptureMode = oneOf(
  ['automatic', 'manual'],
  '`manual`: the money is only set aside, and `payments.capture` takes it. Automatic, unless it says otherwise.',
)
/** Whose the money of a charge is. */
export const Split = Type.Array(
  Type.Object(
    {
      account: Type.String({
        pattern: `^(sales|commission|tax:[A-Z]{2}|store:${Id.pattern?.slice(1, -1)})$`,
        description: 'Account of the ledger that it goes to: `store:<id>`, `tax:<country>`, `commission`.',
      }),
      amountMinor: AmountMinor,
    },
    closed,
  ),
  {
    minItems: 1,
    maxItems: 50,
    description: 'Parts of the amount, one per account, that add up to it; all of it is `sales`, if absent.',
  },
)
export type Split = Static<typeof Split>

/**
 * The chart of accounts: the part of an account's name before its colon, and what the account is. A debit adds to an
 * asset, a credit to an income; the balance of either is its debits less its credits.
 */
export const chart = {
  provider: {
    class: 'asset',
    holds: 'Money that a payment provider holds for us. One account each: `provider:sandbox`.',
  },
  sales: { class: 'income', holds: 'What customers were charged.' },
  refunds: { class: 'income', holds: 'What went back to them, as a debit: it lessens the income.' },
} as const satisfies Record<string, { readonly class: 'asset' | 'income'; readonly holds: string }>

export const Account = Type.String({
  pattern: `^(${Object.keys(chart).join('|')})(:[a-z0-9][a-z0-9_-]{0,63})?$`,
  description: 'Account of the ledger, such as `sales` or `provider:sandbox`.',
})
export const AccountClass = oneOf(['asset', 'income'], 'What kind of account it is.')
export const TransferKind = oneOf(['capture', 'refund'], 'Why the money moved.')
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
      description: 'The payment that was captured or the refund that was made: it has one transfer.',
    }),
    paymentId: Id,
    orderId: Id,
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
        },
        closed,
      ),
      { description: 'Those of them whose sums differ from what was posted: none, if all is well.' },
    ),
    nextCursor: Type.Union([Id, Type.Null()], {
      description: 'Give it as `cursor` to compare older payments; null on the last page.',
    }),
  },
  { ...closed, $id: 'Reconciliation' },
)
export type Reconciliation = Static<typeof Reconciliation>

export const charge = command('payments.charge', {
  summary: 'Take the money for an order, once, whatever the provider answers or fails to answer.',
  input: Type.Object(
    {
      orderId: Id,
      attempt: Type.Integer({
        minimum: 1,
        maximum: 1000,
        description:
          "The order's how-manieth charge; a charge asked for twice under one number is one charge.",
      }),
      customerId: Id,
      ...money,
      paymentMethod: PaymentMethod,
      capture: Type.Optional(CaptureMode),
      storeId: Type.Optional(Type.Unsafe<string>({ ...Id, description: 'The store that sells.' })),
      split: Type.Optional(Split),
    },
    closed,
  ),
  output: Type.Object({ paymentId: Id, status: PaymentStatus }, closed),
  refusals: {},
  retry: retry.remote,
  timeoutMs: 30_000,
  sharesTransaction: true,
})

export const refund = command('payments.refund', {
  summary: 'Give back all or part of a captured payment, never more than was captured.',
  input: Type.Object(
    {
      paymentId: Id,
      requestId: Type.Unsafe<string>({
        ...Id,
        description: 'The command that asks for it; asked for twice by the same one, it is one refund.',
      }),
      amountMinor: Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'Minor units.',
      }),
      reason: Type.String({ maxLength: 300 }),
    },
    closed,
  ),
  output: Type.Object({ refundId: Id, paymentId: Id }, closed),
  refusals: {
    payment_not_found: { status: 404, title: 'There is no such payment.' },
    refund_exceeds_capture: { status: 409, title: 'That is more than is left of the captured amount.' },
  },
  retry: retry.remote,
  timeoutMs: 30_000,
})

const AskedBy = Type.Unsafe<string>({
  ...Id,
  description: 'The command that asks for it; asked for twice by the same one, it happens once.',
})
export const capture = command('payments.capture', {
  summary: 'Take money that was set aside, never more than that.',
  input: Type.Object(
    {
      paymentId: Id,
      requestId: AskedBy,
      amountMinor: Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'Minor units.',
      }),
      isFinal: Type.Boolean({ description: 'Whether what is left then is let go.' }),
    },
    closed,
  ),
  output: Type.Object({ paymentId: Id, status: PaymentStatus }, closed),
  refusals: {
    payment_not_found: { status: 404, title: 'There is no such payment.' },
    capture_exceeds_authorized: { status: 409, title: 'That is more than is left of what was set aside.' },
  },
  retry: retry.remote,
  timeoutMs: 30_000,
})

export const voidPayment = command('payments.void', {
  summary: 'Let go what was set aside and not captured.',
  input: Type.Object({ paymentId: Id, requestId: AskedBy, reason: Type.String({ maxLength: 300 }) }, closed),
  output: Type.Object({ paymentId: Id, status: PaymentStatus }, closed),
  refusals: {
    payment_not_found: { status: 404, title: 'There is no such payment.' },
    payment_captured: { status: 409, title: 'The money is captured: it can only be refunded.' },
  },
  retry: retry.remote,
  timeoutMs: 30_000,
})

export const rollUpLedger = command('payments.roll-up-ledger', {
  summary:
    'Add what was posted to the balances of accounts, so that reading them does not sum the whole history.',
  everyMs: 15_000,
  input: Type.Object({}, closed),
  output: Type.Object(
    { transfers: Type.Integer({ minimum: 0, description: 'How many were added.' }) },
    closed,
  ),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})

const requestId = Type.Unsafe<string>({ ...Id, description: 'What asked for it.' })
const soFarMinor = (what: string, minimum = 1) =>
  Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER, description: `Minor units. ${what}` })

export const authorized = event('payment.authorized', {
  summary: 'The provider set the money for an order aside, to be captured or let go.',
  payload: Type.Object(
    {
      ...payment,
      captureBefore: Type.Unsafe<string>({ ...Instant, description: 'Then the provider lets it go.' }),
    },
    closed,
  ),
})
export const captured = event('payment.captured', {
  summary: 'The provider holds money for an order: `amountMinor` was taken now.',
  payload: Type.Object(
    {
      ...payment,
      capturedMinor: Type.Optional(soFarMinor('All that was captured of this payment so far.', 0)),
      requestId: Type.Optional({ ...requestId, description: 'What asked for it; absent: the charge did.' }),
    },
    closed,
  ),
})
export const declined = event('payment.declined', {
  summary: 'The provider refused the charge.',
  payload: Type.Object({ ...payment, attempt: Attempt, declineCode: Type.String() }, closed),
})
export const actionRequired = event('payment.action-required', {
  summary: 'The buyer has to confirm the charge at the bank, at this address.',
  payload: Type.Object(
    { ...payment, attempt: Attempt, url: Type.String({ description: 'Where to send the buyer.' }) },
    closed,
  ),
})
export const voided = event('payment.voided', {
  summary: 'What was set aside for an order, and not captured, was let go: nothing more can be captured.',
  payload: Type.Object(
    {
      ...payment,
      attempt: Attempt,
      reason: Type.String({ description: 'As it was asked for, or `expired`, or what the provider says.' }),
      requestId: Type.Optional({ ...requestId, description: 'What asked for it; absent: time or provider.' }),
    },
    closed,
  ),
})
export const refunded = event('payment.refunded', {
  summary: 'Money went back to the customer.',
  payload: Type.Object(
    {
      ...payment,
      refundId: Id,
      refundedMinor: soFarMinor('All that went back of this payment so far.'),
      requestId: Type.Optional(requestId),
    },
    closed,
  ),
})
export const refundFailed = event('payment.refund-failed', {
  summary: 'Money did not reach the customer: the provider has it again.',
  payload: Type.Object(
    {
      ...payment,
      refundId: Id,
      refundedMinor: soFarMinor('All that went back of this payment, without this.', 0),
      requestId,
      reason: Type.String({ description: 'What the provider says.' }),
    },
    closed,
  ),
})
const dispute = { ...payment, disputeId: Id, reason: Type.String({ description: 'What the provider says.' }) }
export const disputeOpened = event('payment.dispute-opened', {
  summary: 'The customer disputes a charge at the bank, which took `amountMinor` back for now.',
  payload: Type.Object(dispute, closed),
})
export const disputeClosed = event('payment.dispute-closed', {
  summary: 'The bank decided a dispute: won, the money is back; lost, it is gone.',
  payload: Type.Object(
    { ...dispute, outcome: oneOf(['won', 'lost'], 'How it ended, as the shop sees it.') },
    closed,
  ),
})

export const payments = service('payments', {
  summary: 'Charges and refunds at a payment provider, and the ledger of both.',
  commands: [charge, refund, rollUpLedger],
  events: [
    authorized,
    captured,
    declined,
    actionRequired,
    voided,
    refunded,
    refundFailed,
    disputeOpened,
    disputeClosed,
  ],
  concurrency: 50,
  lockMs: 10_000,
})
