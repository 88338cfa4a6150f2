import type { Right } from '../ending.ts'
import { type Outcome, quantity, type Stage } from '../stage.ts'
import { cancelledUnpaid, paid, type Story, sentBack } from '../story.ts'
import { failToPay } from './buying.ts'

/** The money came when the order was over. */
const lateMoney: Right = { ...sentBack, mails: ['order-cancelled'], cases: ['late_payment'] }

export const cancelling: readonly Story[] = [
  {
    name: 'cancelled',
    says: 'a paid order is cancelled: its money goes back',
    play: async stage => {
      await payFor(stage)
      await cancel(stage)
    },
    rights: [sentBack],
  },
  {
    name: 'cancelled-unpaid',
    says: 'the card is declined, and the customer gives up',
    play: async stage => {
      await failToPay(stage)
      await cancel(stage)
    },
    rights: [{ ...cancelledUnpaid, mails: ['payment-failed', 'order-cancelled'] }],
  },
  {
    name: 'late-money',
    says: 'the order is cancelled while the provider, silent, has taken its money',
    play: async stage => {
      await stage.curtain()
      await stage.place('pm_card_timeout')
      await cancel(stage)
    },
    rights: [lateMoney, sentBack],
  },
  {
    name: 'two-cancels',
    says: 'a paid order is cancelled twice at once',
    play: async stage => {
      await payFor(stage)
      const outcomes = await stage.atOnce([() => cancel(stage), () => cancel(stage)])
      exactlyOne(stage, outcomes)
    },
    rights: [sentBack],
    isAtOnce: true,
  },
  {
    name: 'pay-or-cancel',
    says: 'an order whose card was declined is paid and cancelled at once',
    play: async stage => {
      await failToPay(stage)
      await stage.atOnce([
        () => stage.act(stage.customer.orders.pay({ orderId: stage.orderId, paymentMethod: 'pm_card_ok' })),
        () => cancel(stage),
      ])
    },
    rights: [
      { ...cancelledUnpaid, mails: ['payment-failed', 'order-cancelled'] },
      { ...lateMoney, mails: ['payment-failed', 'order-cancelled'] },
      { ...sentBack, mails: ['payment-failed', 'order-paid', 'order-cancelled'] },
    ],
    isAtOnce: true,
  },
  {
    name: 'pay-twice',
    says: 'an order whose card was declined is paid twice at once',
    play: async stage => {
      await failToPay(stage)
      const pay = () =>
        stage.act(stage.customer.orders.pay({ orderId: stage.orderId, paymentMethod: 'pm_card_ok' }))
      exactlyOne(stage, await stage.atOnce([pay, pay]))
    },
    rights: [{ ...paid, mails: ['payment-failed', 'order-paid'] }],
    isAtOnce: true,
  },
  {
    name: 'cancel-at-once',
    says: 'an order is cancelled while it is placed and charged',
    play: async stage => {
      await stage.curtain()
      await stage.order({ lines: [{ sku: stage.sku, quantity }], paymentMethod: 'pm_card_ok' })
      await stage.atOnce([() => cancel(stage)])
    },
    rights: [sentBack, lateMoney],
    isAtOnce: true,
  },
]

export const refunding: readonly Story[] = [
  {
    name: 'refund-twice',
    says: 'more than half of the money is given back twice at once, which is more than there is',
    play: async stage => {
      await payFor(stage)
      const refund = await refundOf(stage, 400)
      exactlyOne(stage, await stage.atOnce([refund, refund]))
    },
    rights: [{ ...paid, paymentStatus: 'partially_refunded', backMinor: 400 }],
    isAtOnce: true,
  },
  {
    name: 'refund-or-cancel',
    says: 'some of the money is given back while the order is cancelled',
    play: async stage => {
      await payFor(stage)
      await stage.atOnce([await refundOf(stage, 300), () => cancel(stage)])
    },
    rights: [sentBack],
    isAtOnce: true,
  },
]

/** Gives so much of the order's payment back, as a merchant. */
async function refundOf(stage: Stage, amountMinor: number): Promise<() => Promise<Outcome>> {
  const { customer, merchant, orderId } = stage
  const { items } = await customer.payments.list({ orderId })
  const paymentId = items[0]?.id ?? ''
  return () => stage.act(merchant.payments.refund({ paymentId, amountMinor, reason: 'a scratch' }))
}

export const cancel = (stage: Stage) => stage.act(stage.customer.orders.cancel({ orderId: stage.orderId }))

/** What the story `paid` is about: faults strike in what follows. */
export async function payFor(stage: Stage): Promise<void> {
  await pay(stage)
  await stage.curtain()
}

export async function pay(stage: Stage): Promise<void> {
  await stage.place('pm_card_ok')
  await stage.reaches('paid')
  await stage.quiet()
}

export function exactlyOne(stage: Stage, outcomes: readonly string[]): void {
  const succeeded = outcomes.filter(outcome => outcome === 'succeeded').length
  if (succeeded !== 1) stage.complaints.push(`${succeeded} succeeded of ${outcomes.join(', ')}`)
}
