import type { Right } from '../ending.ts'
import { type Outcome, onHand, priceMinor, quantity, type Stage, totalMinor } from '../stage.ts'
import { completed, type Story } from '../story.ts'
import { exactlyOne, pay } from './cancelling.ts'
import { report, seesStatus } from './fulfilling.ts'

const oneBack: Right = {
  ...completed,
  paymentStatus: 'partially_refunded',
  sellable: onHand - quantity + 1,
  backMinor: priceMinor,
}

export const returning: readonly Story[] = [
  {
    name: 'returned',
    says: 'all pieces come back, and can be sold again: the money goes back',
    play: async stage => {
      await deliver(stage)
      await requestReturn(stage, quantity)
      await receiveReturn(stage)
    },
    rights: [
      {
        ...completed,
        state: 'returned',
        paymentStatus: 'refunded',
        sellable: onHand,
        backMinor: totalMinor,
      },
    ],
  },
  {
    name: 'returned-in-part',
    says: 'one of two pieces comes back, and can be sold again: its share of the money goes back',
    play: async stage => {
      await deliver(stage)
      await requestReturn(stage, 1)
      await receiveReturn(stage)
    },
    rights: [oneBack],
  },
  {
    name: 'received-twice',
    says: 'what comes back is noted twice at once',
    play: async stage => {
      await deliver(stage)
      await requestReturn(stage, 1)
      exactlyOne(stage, await stage.atOnce([() => receiveReturn(stage), () => receiveReturn(stage)]))
    },
    rights: [oneBack],
    isAtOnce: true,
  },
  {
    name: 'return-declined',
    says: 'the merchant refuses what comes back: nothing changes',
    play: async stage => {
      await deliver(stage)
      await requestReturn(stage, 1)
      await stage.act(stage.merchant.orders.declineReturn({ orderId: stage.orderId, reason: 'it was used' }))
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
  await stage.curtain()
}

const requestReturn = ({ orderId, sku, customer, act }: Stage, pieces: number): Promise<Outcome> =>
  act(customer.orders.requestReturn({ orderId, lines: [{ sku, quantity: pieces }], reason: 'chipped' }))

const receiveReturn = ({ orderId, sku, merchant, act }: Stage): Promise<Outcome> =>
  act(merchant.orders.receiveReturn({ orderId, lines: [{ sku, restock: true }] }))
