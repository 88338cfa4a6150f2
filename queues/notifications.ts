import { Type } from '@sinclair/typebox'
import { registered } from './accounts.ts'
import { command, type Event, service } from './command.ts'
import { cancelled, paid, paymentFailed } from './orders.ts'
import { retry } from './retry.ts'
import { closed, Id, oneOf } from './schemas.ts'

export const saveContact = command('notifications.save-contact', {
  summary: 'Remember where a person wants to be written to.',
  on: registered,
  input: registered.payload,
  output: Type.Object({ accountId: Id }, closed),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 10_000,
})

const Delivery = oneOf(
  ['sent', 'unknown'],
  '`unknown`: the mail server fell silent after it was given the mail; it is not sent again, for nobody is told the same twice.',
)

/** A mail about an order to the one who placed it: one per order, however often its event is told. */
const orderMail = <const Name extends `notifications.${string}`>(
  name: Name,
  summary: string,
  on: Event<string, typeof paid.payload>,
) =>
  command(name, {
    summary,
    on,
    input: paid.payload,
    output: Type.Object({ deliveryId: Id, delivery: Delivery }, closed),
    refusals: {
      no_contact: { status: 404, title: 'No address is known for this customer.' },
      mail_refused: { status: 422, title: 'The mail server refused the mail for good.' },
    },
    retry: retry.remote,
    timeoutMs: 30_000,
  })

export const mailOrderPaid = orderMail('notifications.mail-order-paid', 'Mail the receipt.', paid)
export const mailPaymentFailed = orderMail(
  'notifications.mail-payment-failed',
  'Mail that the payment failed and how to try again.',
  paymentFailed,
)
export const mailOrderCancelled = orderMail(
  'notifications.mail-order-cancelled',
  'Mail that the order was cancelled.',
  cancelled,
)

export const notifications = service('notifications', {
  summary: 'Mails to customers.',
  commands: [saveContact, mailOrderPaid, mailPaymentFailed, mailOrderCancelled],
  events: [],
  concurrency: 50,
  lockMs: 10_000,
})
