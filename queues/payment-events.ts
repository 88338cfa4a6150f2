// What payments tell. Orders act on most of it, and whatever else wants to know may.
import { Type } from '@sinclair/typebox'
import { event } from './command.ts'
import { AmountMinor, Currency, closed, Id, Instant, oneOf } from './schemas.ts'

export const Attempt = Type.Integer({
  minimum: 1,
  maximum: 1_000,
  description: 'Which charge of the order this is; asked for twice under one number, it is one charge.',
})
/** An amount of a charge or a payment. */
export const money = { amountMinor: AmountMinor, currency: Currency }
const payment = { paymentId: Id, orderId: Id, ...money }

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
const Change = Type.Optional(
  Type.Integer({
    minimum: 1,
    description: 'Counts what was told of refunds of this payment: of two events the higher one is newer.',
  }),
)
export const refunded = event('payment.refunded', {
  summary: 'Money went back to the customer.',
  payload: Type.Object(
    {
      ...payment,
      refundId: Id,
      refundedMinor: soFarMinor('All that went back of this payment so far.'),
      change: Change,
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
      change: Change,
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
