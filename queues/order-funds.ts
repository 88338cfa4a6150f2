// What orders do when their money moves, beyond being paid or declined.
import { Type } from '@sinclair/typebox'
import { command } from './command.ts'
import { moved } from './order-states.ts'
import {
  actionRequired,
  authorized,
  disputeClosed,
  disputeOpened,
  refundFailed,
  voided,
} from './payment-events.ts'
import { retry } from './retry.ts'
import { closed, oneOf } from './schemas.ts'

const rules = { refusals: {}, retry: retry.standard, timeoutMs: 10_000 } as const

/** What the buyer has to do before the order can be paid. */
export const NextAction = Type.Union(
  [
    Type.Object(
      {
        type: oneOf(['redirect'], 'What to do: send the buyer there.'),
        url: Type.String({ description: 'Where the bank asks the buyer to confirm the charge.' }),
      },
      closed,
    ),
    Type.Null(),
  ],
  { description: 'What the buyer has to do before the order can be paid; null: nothing.' },
)

export const confirmAuthorization = command('orders.confirm-authorization', {
  summary:
    'Mark the order paid, for its money is set aside, and its pieces sold; what comes too late is let go.',
  on: authorized,
  input: authorized.payload,
  output: moved,
  ...rules,
  sharesTransaction: true,
})

export const awaitAction = command('orders.await-action', {
  summary: 'Show the buyer where to confirm the charge, and keep the pieces for as long again, once.',
  on: actionRequired,
  input: actionRequired.payload,
  output: moved,
  ...rules,
})

export const recordVoid = command('orders.record-void', {
  summary:
    'Note that money was let go; an order that counted on it is cancelled, unless pieces were handed over.',
  on: voided,
  input: voided.payload,
  output: moved,
  ...rules,
})

export const recordRefundFailure = command('orders.record-refund-failure', {
  summary: 'Note that money did not reach the customer, and open a case.',
  on: refundFailed,
  input: refundFailed.payload,
  output: moved,
  ...rules,
})

export const recordDispute = command('orders.record-dispute', {
  summary: 'Mark the order disputed, and open a case.',
  on: disputeOpened,
  input: disputeOpened.payload,
  output: moved,
  ...rules,
})

export const recordDisputeEnd = command('orders.record-dispute-end', {
  summary: 'Note how a dispute ended; an order whose dispute was lost stays disputed, for its money is gone.',
  on: disputeClosed,
  input: disputeClosed.payload,
  output: moved,
  ...rules,
})
