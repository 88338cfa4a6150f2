import type { Right } from '../ending.ts'
import { type Stage, totalMinor } from '../stage.ts'
import { paid, type Story, sentBack } from '../story.ts'
import { cancel } from './cancelling.ts'

const notSentBack: Right = {
  ...sentBack,
  paymentStatus: 'captured',
  takenMinor: totalMinor,
  backMinor: 0,
  cases: ['refund_failed'],
}

/** The bank changes its mind. */
export const quarrelling: readonly Story[] = [
  {
    name: 'refund-pending',
    says: 'a paid order is cancelled, and its refund takes a while',
    play: async stage => {
      await payWith(stage, 'pm_card_refund_pending')
      await cancel(stage)
      await seesMoney(stage, 'refunded')
    },
    rights: [sentBack],
  },
  {
    name: 'refund-fails',
    says: 'a paid order is cancelled, and the bank refuses the refund: a person has to look',
    play: async stage => {
      await payWith(stage, 'pm_card_refund_fails')
      await cancel(stage)
      await seesCase(stage, 'refund_failed')
    },
    rights: [notSentBack],
  },
  {
    name: 'refund-fails-later',
    says: 'a paid order is cancelled, and its refund fails a while later: a person has to look',
    play: async stage => {
      await payWith(stage, 'pm_card_refund_pending_fails')
      await cancel(stage)
      await seesCase(stage, 'refund_failed')
    },
    rights: [notSentBack],
  },
  {
    name: 'refund-bounces',
    says: 'a paid order is cancelled, and the refund that succeeded fails after all: a person has to look',
    play: async stage => {
      await payWith(stage, 'pm_card_refund_bounces')
      await cancel(stage)
      await seesCase(stage, 'refund_failed')
    },
    // Whoever hears of the failure before the success tries once more.
    rights: [
      notSentBack,
      { ...notSentBack, cases: ['refund_failed', 'refund_failed'] },
      { ...sentBack, cases: ['refund_failed'] },
    ],
  },
  {
    name: 'disputed',
    says: 'the customer disputes the charge at the bank: a person has to look',
    play: async stage => {
      await stage.curtain()
      await stage.place('pm_card_dispute')
      await seesCase(stage, 'dispute')
    },
    rights: [{ ...paid, paymentStatus: 'disputed', cases: ['dispute'] }],
  },
]

/** Paid with such a card: faults strike in what follows. */
async function payWith(stage: Stage, card: string): Promise<void> {
  await stage.place(card)
  await stage.reaches('paid')
  await stage.quiet()
  await stage.curtain()
}

const seesMoney = (stage: Stage, status: string): Promise<string> =>
  stage.sees(async () => {
    const { paymentStatus } = await stage.customer.orders.get(stage.orderId)
    return paymentStatus === status ? status : null
  })

const seesCase = ({ shop, orderId, sees }: Stage, kind: string): Promise<string> =>
  sees(async () => {
    const found = await shop.world.sql`
      select from orders.cases where order_id = ${orderId} and kind = ${kind}`
    return found.count > 0 ? kind : null
  })
