import { expireOverdue } from '../../../../queues/orders.ts'
import { quantity, type Stage } from '../stage.ts'
import { cancelledUnpaid, declined, paid, type Story } from '../story.ts'

export const buying: readonly Story[] = [
  {
    name: 'paid',
    says: 'a customer orders and pays at once',
    play: async stage => {
      await stage.curtain()
      await stage.place('pm_card_ok')
      await stage.reaches('paid')
    },
    rights: [paid],
  },
  {
    name: 'quoted',
    says: 'a customer asks for a quote and orders from it',
    play: async stage => {
      const { customer, sku, curtain } = stage
      await curtain()
      const quote = await stage.answer(customer.orders.quote({ lines: [{ sku, quantity }] }))
      await stage.order({ quote: quote.token, paymentMethod: 'pm_card_ok' })
      await stage.reaches('paid')
    },
    rights: [paid],
  },
  {
    name: 'declined',
    says: 'the provider declines the card',
    play: async stage => {
      await stage.curtain()
      await stage.place('pm_card_declined')
      await stage.reaches('payment_failed')
    },
    rights: [declined],
  },
  {
    name: 'paid-again',
    says: 'the card is declined, and the customer pays with another',
    play: async stage => {
      await failToPay(stage)
      await stage.act(stage.customer.orders.pay({ orderId: stage.orderId, paymentMethod: 'pm_card_ok' }))
      await stage.reaches('paid')
    },
    rights: [{ ...paid, mails: ['payment-failed', 'order-paid'] }],
  },
  {
    name: 'silent',
    says: 'the provider takes the money and does not answer',
    play: async stage => {
      await stage.curtain()
      await stage.place('pm_card_timeout')
      await stage.reaches('paid')
    },
    rights: [paid],
  },
  {
    name: 'expired',
    says: 'the card is declined, and nobody pays in time',
    play: async stage => {
      await failToPay(stage)
      await stage.timeIsUp()
      await stage.clock(expireOverdue, {})
      await stage.reaches('expired')
    },
    rights: [{ ...cancelledUnpaid, state: 'expired' }],
  },
]

/** What the story `declined` is about: faults strike in what follows. */
export async function failToPay(stage: Stage): Promise<void> {
  await stage.place('pm_card_declined')
  await stage.reaches('payment_failed')
  await stage.quiet()
  await stage.curtain()
}
