import type { Right } from '../ending.ts'
import { totalMinor } from '../stage.ts'
import { cancelledUnpaid, completed, paid, type Story, sent } from '../story.ts'
import { cancel, exactlyOne, payFor } from './cancelling.ts'
import { cook, report, seesStatus } from './fulfilling.ts'

const shop = { kind: 'shop', capture: 'manual' } as const
const restaurant = { kind: 'restaurant', capture: 'manual' } as const

const aside: Right = { ...paid, paymentStatus: 'authorized', takenMinor: 0, asideMinor: totalMinor }
const letGo: Right = { ...cancelledUnpaid, mails: ['order-paid', 'order-cancelled'] }

/** The money is set aside first, and taken before the hand-over. */
export const settingAside: readonly Story[] = [
  {
    name: 'set-aside',
    says: 'a customer orders, and the money is set aside',
    store: shop,
    play: async stage => {
      await stage.curtain()
      await stage.place('pm_card_ok')
      await stage.reaches('paid')
    },
    rights: [aside],
  },
  {
    name: 'taken-and-delivered',
    says: 'what was set aside is taken when the order is sent, which then arrives',
    store: shop,
    play: async stage => {
      await payFor(stage)
      const { shipmentId } = await stage.answer(stage.merchant.orders.ship({ orderId: stage.orderId }))
      await seesStatus(stage, shipmentId, 'label_created')
      await report(stage, shipmentId, 'delivered')
      await stage.reaches('completed')
    },
    rights: [completed],
  },
  {
    name: 'taken-and-cooked',
    says: 'what was set aside is taken when a restaurant accepts, and the customer picks the meal up',
    store: restaurant,
    play: async stage => {
      await payFor(stage)
      await cook(stage)
      await stage.reaches('completed')
    },
    rights: [completed],
  },
  {
    name: 'let-go',
    says: 'an order whose money is set aside is cancelled: nothing was ever taken',
    store: shop,
    play: async stage => {
      await payFor(stage)
      await cancel(stage)
    },
    rights: [letGo],
  },
  {
    name: 'take-or-let-go',
    says: 'what was set aside is taken to send the order and let go to cancel it, at once',
    store: shop,
    play: async stage => {
      await payFor(stage)
      const ship = () => stage.act(stage.merchant.orders.ship({ orderId: stage.orderId }))
      exactlyOne(stage, await stage.atOnce([ship, () => cancel(stage)]))
    },
    rights: [sent, letGo],
    isAtOnce: true,
  },
  {
    name: 'take-too-much',
    says: 'a merchant takes more than half of what was set aside twice at once, and lets it go',
    store: shop,
    play: async stage => {
      await payFor(stage)
      const { customer, merchant, orderId } = stage
      const { items } = await customer.payments.list({ orderId })
      const paymentId = items[0]?.id ?? ''
      const take = () => stage.act(merchant.payments.capture({ paymentId, amountMinor: 400 }))
      const letItGo = () => stage.act(merchant.payments.void({ paymentId, reason: 'a mistake' }))
      await stage.atOnce([take, take, letItGo])
    },
    rights: [
      { ...aside, paymentStatus: 'partially_captured', takenMinor: 400, asideMinor: totalMinor - 400 },
      { ...letGo, cases: ['authorization_lost'] },
    ],
    isAtOnce: true,
  },
]
