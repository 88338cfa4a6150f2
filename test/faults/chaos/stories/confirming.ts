import { expireOverdue } from '../../../../queues/orders.ts'
import { signatureHeader, signatureOf } from '../../../../workers/payments/simulator/signature.ts'
import { webhookSecret } from '../shop.ts'
import type { Stage } from '../stage.ts'
import { cancelledUnpaid, declined, paid, type Story } from '../story.ts'
import { cancel } from './cancelling.ts'

/** The bank has a word to say. */
export const confirming: readonly Story[] = [
  {
    name: 'approved',
    says: 'the bank asks the buyer to confirm, who does',
    play: async stage => {
      await challenged(stage, 'pm_card_3ds')
      await stage.curtain()
      await confirm(stage, 'approve')
      await stage.reaches('paid')
    },
    rights: [paid],
  },
  {
    name: 'refused',
    says: 'the bank asks the buyer to confirm, who refuses',
    play: async stage => {
      await challenged(stage, 'pm_card_3ds')
      await stage.curtain()
      await confirm(stage, 'refuse')
      await stage.reaches('payment_failed')
    },
    rights: [declined],
  },
  {
    name: 'abandoned',
    says: 'the bank asks the buyer to confirm, who goes away',
    play: async stage => {
      await challenged(stage, 'pm_card_3ds')
      await stage.curtain()
      await stage.timeIsUp()
      await stage.sees(async () => {
        await stage.clock(expireOverdue, {})
        const { state } = await stage.customer.orders.get(stage.orderId)
        if (state === 'expired') return state
        await stage.timeIsUp()
        return null
      })
    },
    rights: [{ ...cancelledUnpaid, state: 'expired', mails: [] }],
  },
  {
    name: 'hesitant',
    says: 'the provider does not know yet itself, and takes the money a while later',
    play: async stage => {
      await stage.curtain()
      await stage.place('pm_card_processing')
      await stage.reaches('paid')
    },
    rights: [paid],
  },
  {
    name: 'hesitant-declined',
    says: 'the provider does not know yet itself, and declines a while later',
    play: async stage => {
      await stage.curtain()
      await stage.place('pm_card_processing_declined')
      await stage.reaches('payment_failed')
    },
    rights: [declined],
  },
  {
    name: 'confirm-or-cancel',
    says: 'the buyer confirms a charge and cancels its order at once',
    play: async stage => {
      const url = await challenged(stage, 'pm_card_3ds')
      await stage.curtain()
      await stage.atOnce([() => answer(url, 'approve'), () => cancel(stage)])
      await stage.quiet()
      await stage.hoursPass()
    },
    rights: [
      { ...cancelledUnpaid, mails: ['order-cancelled'] },
      {
        ...cancelledUnpaid,
        paymentStatus: 'refunded',
        takenMinor: paid.takenMinor,
        backMinor: paid.takenMinor,
        mails: ['order-paid', 'order-cancelled'],
      },
      {
        ...cancelledUnpaid,
        paymentStatus: 'refunded',
        takenMinor: paid.takenMinor,
        backMinor: paid.takenMinor,
        mails: ['order-cancelled'],
        cases: ['late_payment'],
      },
    ],
    isAtOnce: true,
  },
  {
    name: 'storm',
    says: 'a hundred webhooks about one charge come at once, in part forged, while its buyer confirms it',
    play: async stage => {
      const url = await challenged(stage, 'pm_card_3ds')
      await stage.curtain()
      const storm = Array.from({ length: 100 }, (_, nth) => () => webhook(stage, nth))
      await stage.atOnce([...storm, () => answer(url, 'approve')])
      await stage.reaches('paid')
    },
    rights: [paid],
    isAtOnce: true,
  },
]

/** Ordered with such a card; answers where the bank asks. */
async function challenged(stage: Stage, card: string): Promise<string> {
  await stage.place(card)
  const url = await stage.sees(async () => {
    const { nextAction } = await stage.customer.orders.get(stage.orderId)
    return nextAction?.url ?? null
  })
  await stage.quiet()
  return url
}

async function confirm(stage: Stage, answered: 'approve' | 'refuse'): Promise<void> {
  const { nextAction } = await stage.customer.orders.get(stage.orderId)
  await answer(nextAction?.url ?? '', answered)
}

async function answer(url: string, answered: string): Promise<string> {
  const page = await fetch(url, { method: 'POST', body: new URLSearchParams({ answer: answered }) })
  if (!page.ok) throw new Error(`the bank answered ${page.status}`)
  return 'succeeded'
}

/** One of thirty events, of which every fifth is forged. */
async function webhook({ shop, orderId }: Stage, nth: number): Promise<string> {
  const [payment] = await shop.world.sql<{ key: string; reference: string }[]>`
    select 'charge:' || id as key, reference from payments.payments where order_id = ${orderId}`
  const event = {
    id: `evt_storm_${orderId}_${nth % 30}`,
    kind: nth % 2 === 0 ? 'charge.captured' : 'charge.declined',
    chargeKey: payment?.key,
    reference: payment?.reference,
    at: new Date().toISOString(),
  }
  const raw = JSON.stringify(event)
  const secret = nth % 5 === 0 ? 'not the secret' : webhookSecret
  const answered = await fetch(`${shop.url}/v1/webhooks/payments/simulator`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', [signatureHeader]: signatureOf(raw, secret, Date.now()) },
    body: raw,
  })
  await answered.body?.cancel()
  return String(answered.status)
}
