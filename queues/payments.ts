import { type Static, Type } from '@sinclair/typebox'
import { command, service } from './command.ts'
import { signedMinor } from './ledger.ts'
import {
  Attempt,
  actionRequired,
  authorized,
  captured,
  declined,
  disputeClosed,
  disputeOpened,
  money,
  refunded,
  refundFailed,
  voided,
} from './payment-events.ts'
import { retry } from './retry.ts'
import { AmountMinor, Currency, closed, Id, Instant, lineOfText, oneOf, pageOf } from './schemas.ts'

/** A reference to a card kept by the provider; card numbers never come here. */
export const PaymentMethod = Type.String({
  pattern: '^pm_[A-Za-z0-9_]{1,60}$',
  description:
    'Token of a card at the provider. The simulator knows pm_card_ok, pm_card_declined, pm_card_3ds and more: its page lists them.',
})
/** What a payment's row says; how much went back, and whether it is disputed, is counted beside it. */
export const attemptStates = [
  'processing',
  'unknown',
  'action_required',
  'authorized',
  'partially_captured',
  'captured',
  'declined',
  'voided',
] as const
export type AttemptState = (typeof attemptStates)[number]
export const PaymentStatus = oneOf(
  [...attemptStates, 'partially_refunded', 'refunded', 'disputed'],
  '`unknown`: the provider did not answer; it is asked again until it does. `action_required`: the buyer has to ' +
    'confirm at `actionUrl`. `authorized`: set aside, nothing captured. `voided`: let go, nothing was captured.',
)
export const Payment = Type.Object(
  {
    id: Id,
    orderId: Id,
    ...money,
    status: PaymentStatus,
    capturedMinor: AmountMinor,
    refundedMinor: AmountMinor,
    captureBefore: Type.Union([Instant, Type.Null()], {
      description: 'When what is set aside and not captured is let go.',
    }),
    actionUrl: Type.Union([Type.String(), Type.Null()], {
      description: 'Where the buyer has to confirm the charge.',
    }),
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

export const charge = command('payments.charge', {
  summary: 'Take the money for an order, once, whatever the provider answers or fails to answer.',
  input: Type.Object(
    {
      orderId: Id,
      attempt: Attempt,
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

const RequestId = Type.Optional(
  Type.Unsafe<string>({
    ...Id,
    description:
      'What asks for it: asked for twice by the same, it is once. This command, unless it says otherwise.',
  }),
)
const PartMinor = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'Minor units.',
})
const leftMinor = Type.Object({ leftMinor: AmountMinor }, closed)
const paymentNotFound = { status: 404, title: 'There is no such payment.' } as const
const paymentUnresolved = {
  status: 409,
  title: 'The provider has not said yet how the payment stands. It is being asked: try again later.',
} as const
const paymentStateConflict = {
  status: 409,
  title: 'The payment is in a state that does not allow this.',
  detail: Type.Object({ current: PaymentStatus }, closed),
} as const
const OperationStatus = oneOf(
  ['pending', 'succeeded', 'failed'],
  '`pending`: the provider has accepted it. `failed`: the provider says that it did not and will not happen.',
)

export const capture = command('payments.capture', {
  summary: 'Take money that was set aside, or a part of it, never more than was set aside.',
  http: { method: 'POST', path: '/v1/payments/{paymentId}/captures', scope: 'payments:write' },
  input: Type.Object(
    {
      paymentId: Id,
      requestId: RequestId,
      amountMinor: PartMinor,
      isFinal: Type.Optional(
        Type.Boolean({
          description:
            'Nothing follows: what is left is let go. So it is anyway if nothing is left, or if the provider takes one capture only.',
        }),
      ),
    },
    closed,
  ),
  output: Type.Object({ captureId: Id, paymentId: Id, status: OperationStatus }, closed),
  refusals: {
    payment_not_found: paymentNotFound,
    payment_unresolved: paymentUnresolved,
    payment_state_conflict: paymentStateConflict,
    capture_exceeds_authorization: {
      status: 409,
      title: 'That is more than is left of what was set aside.',
      detail: leftMinor,
    },
  },
  retry: retry.remote,
  timeoutMs: 30_000,
})

export const voidPayment = command('payments.void', {
  summary: 'Let go of money that was set aside, of which nothing is captured.',
  http: { method: 'POST', path: '/v1/payments/{paymentId}/void', scope: 'payments:write' },
  input: Type.Object(
    { paymentId: Id, requestId: RequestId, reason: Type.String({ minLength: 1, maxLength: 300 }) },
    closed,
  ),
  output: Type.Object({ paymentId: Id, status: OperationStatus }, closed),
  refusals: {
    payment_not_found: paymentNotFound,
    payment_unresolved: paymentUnresolved,
    already_captured: { status: 409, title: 'Some of it is captured: give it back by a refund.' },
    nothing_to_void: { status: 409, title: 'Nothing is set aside.' },
  },
  retry: retry.remote,
  timeoutMs: 30_000,
})

export const refund = command('payments.refund', {
  summary: 'Give back all or part of a captured payment, never more than was captured.',
  http: { method: 'POST', path: '/v1/payments/{paymentId}/refunds', scope: 'payments:write' },
  input: Type.Object(
    {
      paymentId: Id,
      requestId: RequestId,
      amountMinor: PartMinor,
      reason: Type.String({ maxLength: 300 }),
    },
    closed,
  ),
  output: Type.Object({ refundId: Id, paymentId: Id, status: OperationStatus }, closed),
  refusals: {
    payment_not_found: paymentNotFound,
    payment_unresolved: paymentUnresolved,
    payment_disputed: {
      status: 409,
      title: 'The customer disputes the charge at the bank, or has won: a refund would pay twice.',
    },
    refund_exceeds_capture: {
      status: 409,
      title: 'That is more than is left of the captured amount.',
      detail: leftMinor,
    },
  },
  retry: retry.remote,
  timeoutMs: 30_000,
})

export const observe = command('payments.observe', {
  summary: 'Ask the provider about a payment and apply all that it says.',
  input: Type.Object({ paymentId: Id }, closed),
  output: Type.Object({ paymentId: Id, status: PaymentStatus }, closed),
  refusals: { payment_not_found: paymentNotFound },
  retry: retry.remote,
  timeoutMs: 30_000,
})

export const reconcile = command('payments.reconcile', {
  summary:
    'Look again at payments that have been open for long, whose webhook may be lost, and let go of what is not captured in time.',
  everyMs: 60_000,
  input: Type.Object({}, closed),
  output: Type.Object(
    {
      observed: Type.Integer({ minimum: 0, description: 'Payments that the provider is asked about.' }),
      voided: Type.Integer({
        minimum: 0,
        description: 'Payments that are let go, unless they are captured.',
      }),
    },
    closed,
  ),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})

export const recordPayout = command('payments.record-payout', {
  summary: 'Note that a store was paid by bank, never more than is owed to it.',
  http: { method: 'POST', path: '/v1/stores/{storeId}/payouts', scope: 'ledger:write' },
  input: Type.Object(
    {
      storeId: Id,
      amountMinor: PartMinor,
      currency: Currency,
      reference: lineOfText(140, 'As the bank knows it.'),
    },
    closed,
  ),
  output: Type.Object({ payoutId: Id, storeId: Id }, closed),
  refusals: {
    payout_exceeds_owed: {
      status: 409,
      title: 'That is more than is owed to the store.',
      detail: Type.Object({ owedMinor: signedMinor('Minor units.') }, closed),
    },
  },
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const collectEvents = command('payments.collect-events', {
  summary:
    'Ask providers for what they could not tell by webhook, and look at the payments that it is about.',
  everyMs: 600_000,
  input: Type.Object({}, closed),
  output: Type.Object(
    {
      events: Type.Integer({ minimum: 0, description: 'About payments of ours, that were not known.' }),
      unanswered: Type.Integer({ minimum: 0, description: 'Providers that did not answer.' }),
    },
    closed,
  ),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 60_000,
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

export const payments = service('payments', {
  summary: 'Charges and refunds at a payment provider, and the ledger of both.',
  commands: [
    charge,
    capture,
    voidPayment,
    refund,
    observe,
    reconcile,
    collectEvents,
    recordPayout,
    rollUpLedger,
  ],
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
