import { onHand, priceMinor, quantity, type Stage } from '../stage.ts'
import { completed, type Story } from '../story.ts'
import { pay } from './cancelling.ts'
import { report, seesStatus } from './fulfilling.ts'

export const returning: readonly Story[] = [
  {
    name: 'returned',
    says: 'one of two pieces comes back: its share of the money goes back, and it can be sold again',
    play: async stage => {
      await deliver(stage)
      const { orderId, sku, customer, merchant } = stage
      const lines = [{ sku, quantity: 1 }]
      await stage.act(customer.orders.requestReturn({ orderId, lines, reason: 'chipped' }))
      await stage.act(merchant.orders.receiveReturn({ orderId, lines: [{ sku, restock: true }] }))
    },
    rights: [
      {
        ...completed,
        state: 'returned',
        paymentStatus: 'partially_refunded',
        sellable: onHand - quantity + 1,
        backMinor: priceMinor,
      },
    ],
  },
  {
    name: 'return-declined',
    says: 'the merchant refuses what comes back: nothing changes',
    play: async stage => {
      await deliver(stage)
      const { orderId, sku, customer, merchant } = stage
      await stage.act(
        customer.orders.requestReturn({ orderId, lines: [{ sku, quantity: 1 }], reason: 'chipped' }),
      )
      await stage.act(merchant.orders.declineReturn({ orderId, reason: 'it was used' }))
    },
    rights: [completed],
  },
]

/** What the story `delivered` is about: faults strike in what follows. */
async function deliver(stage: Stage): Promise<void> {
  await pay(stage)
  const { shipmentId } = await stage.answer(stage.merchant.orders.ship({ orderId: stage.orderId }))
  await seesStatus(stage, shipmentId, 'label_created')
  await report(stage, shipmentId, 'delivered')
  await stage.reaches('completed')
  await stage.quiet()
  stage.curtain()
}
