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

export const captured = event('payment.captured', {
  summary: 'The provider holds the money for an order.',
  payload: Type.Object(payment, closed),
})
export const declined = event('payment.declined', {
  summary: 'The provider refused the charge.',
  payload: Type.Object({ ...payment, attempt: Attempt, declineCode: Type.String() }, closed),
})
export const refunded = event('payment.refunded', {
  summary: 'Money went back to the customer.',
  payload: Type.Object(
    {
      ...payment,
      refundId: Id,
      refundedMinor: Type.Integer({ minimum: 1, description: 'All that went back of this payment so far.' }),
    },
    closed,
  ),
})

export const payments = service('payments', {
  summary: 'Charges and refunds at a payment provider.',
  commands: [charge, refund],
  events: [captured, declined, refunded],
  concurrency: 50,
  lockMs: 10_000,
})
