import { cancelUnaccepted } from '../../../../queues/order-fulfilment.ts'
import { quantity, type Stage, totalMinor } from '../stage.ts'
import { completed, type Story, sent, sentBack } from '../story.ts'
import { cancel, exactlyOne, payFor } from './cancelling.ts'

/** What the simulated carrier takes for such a parcel. */
const economyMinor = 420
const restaurant = { kind: 'restaurant', capture: 'automatic' } as const

export const fulfilling: readonly Story[] = [
  {
    name: 'delivered',
    says: 'a merchant sends a paid order by hand, and says that it has arrived',
    play: async stage => {
      await payFor(stage)
      const { shipmentId } = await stage.answer(stage.merchant.orders.ship({ orderId: stage.orderId }))
      await seesStatus(stage, shipmentId, 'label_created')
      await report(stage, shipmentId, 'in_transit')
      await report(stage, shipmentId, 'delivered')
      await stage.reaches('completed')
    },
    rights: [completed],
  },
  {
    name: 'carried',
    says: 'a parcel is paid for by its rate, gets its label from a carrier, and is tracked to the door',
    play: async stage => {
      await orderWithRate(stage)
      await stage.reaches('paid')
      await stage.quiet()
      await stage.curtain()
      await sendByCarrier(stage)
      await stage.reaches('completed')
    },
    rights: [{ ...completed, takenMinor: totalMinor + economyMinor, labels: 1 }],
  },
  {
    name: 'in-two-parcels',
    says: 'a merchant sends a paid order in two parcels: it is completed with the second',
    play: async stage => {
      await payFor(stage)
      const { orderId, sku, merchant } = stage
      const shipments = []
      for (const _ of ['one', 'other'])
        shipments.push(await stage.answer(merchant.orders.ship({ orderId, lines: [{ sku, quantity: 1 }] })))
      for (const { shipmentId } of shipments) {
        await seesStatus(stage, shipmentId, 'label_created')
        await report(stage, shipmentId, 'delivered')
      }
      await stage.reaches('completed')
    },
    rights: [{ ...completed, shipments: ['delivered', 'delivered'] }],
  },
  {
    name: 'accepted',
    says: 'a restaurant accepts an order and cooks it, and the customer picks it up',
    store: restaurant,
    play: async stage => {
      await payFor(stage)
      await cook(stage)
      await stage.reaches('completed')
    },
    rights: [completed],
  },
  {
    name: 'not-accepted',
    says: 'no kitchen accepts the order in time: it is cancelled, and its money goes back',
    store: restaurant,
    play: async stage => {
      await payFor(stage)
      await stage.timeIsUp()
      await stage.clock(cancelUnaccepted, {})
      await stage.reaches('cancelled')
    },
    rights: [sentBack],
  },
  {
    name: 'rejected',
    says: 'a restaurant rejects a paid order',
    store: restaurant,
    play: async stage => {
      await payFor(stage)
      await stage.act(stage.merchant.orders.reject({ orderId: stage.orderId, reason: 'no more dough' }))
      await stage.reaches('cancelled')
    },
    rights: [sentBack],
  },
  {
    name: 'sent-twice',
    says: 'all of a paid order is sent twice at once',
    play: async stage => {
      await payFor(stage)
      const ship = () => stage.act(stage.merchant.orders.ship({ orderId: stage.orderId }))
      exactlyOne(stage, await stage.atOnce([ship, ship]))
    },
    rights: [sent],
    isAtOnce: true,
  },
  {
    name: 'send-or-cancel',
    says: 'a paid order is sent and cancelled at once',
    play: async stage => {
      await payFor(stage)
      const ship = () => stage.act(stage.merchant.orders.ship({ orderId: stage.orderId }))
      exactlyOne(stage, await stage.atOnce([ship, () => cancel(stage)]))
    },
    rights: [sent, sentBack],
    isAtOnce: true,
  },
  {
    name: 'accept-or-too-late',
    says: 'a kitchen accepts an order, rejects it and is too late at once',
    store: restaurant,
    play: async stage => {
      await payFor(stage)
      const { orderId, merchant } = stage
      await stage.timeIsUp(30)
      await stage.atOnce([
        () => stage.act(merchant.orders.accept({ orderId })),
        () => stage.act(merchant.orders.reject({ orderId, reason: 'no more dough' })),
        async () => {
          await stage.clock(cancelUnaccepted, {})
          return 'succeeded'
        },
      ])
      await stage.quiet()
      await stage.clock(cancelUnaccepted, {})
    },
    rights: [sent, sentBack],
    isAtOnce: true,
  },
]

export async function report(
  stage: Stage,
  shipmentId: string,
  status: 'in_transit' | 'delivered',
): Promise<void> {
  const occurredAt = new Date().toISOString()
  await stage.act(stage.merchant.shipping.recordTracking({ shipmentId, status, occurredAt }))
}

/** Waits until the parcel is seen there. */
export const seesStatus = ({ shop, sees }: Stage, shipmentId: string, status: string): Promise<string> =>
  sees(async () => {
    const [row] = await shop.world.sql<{ status: string }[]>`
      select status from shipping.shipments where id = ${shipmentId}`
    return row?.status === status ? status : null
  })

async function orderWithRate(stage: Stage): Promise<void> {
  const { sku, customer } = stage
  const lines = [{ sku, quantity }]
  const found = await stage.answer(customer.shipping.findRates({ lines, destination }))
  const rate = found.rates.find(({ carrier, service }) => carrier === 'simulator' && service === 'Economy')
  if (!rate) throw new Error(`the carrier has no rate: ${JSON.stringify(found.rates)}`)
  await stage.order({ lines, paymentMethod: 'pm_card_ok', shippingRateId: rate.rateId })
}

const destination = {
  name: 'Some Buyer',
  line1: 'Hauptstr. 1',
  city: 'Berlin',
  postalCode: '10115',
  country: 'DE',
}

/** The merchant hands it over, and the carrier tells of its way. */
async function sendByCarrier(stage: Stage): Promise<void> {
  const { sql } = stage.shop.world
  const { shipmentId } = await stage.answer(stage.merchant.orders.ship({ orderId: stage.orderId }))
  await seesStatus(stage, shipmentId, 'label_created')
  const [parcel] = await sql<{ number: string }[]>`
    select tracking_number as number from shipping.shipments where id = ${shipmentId}`
  const number = parcel?.number ?? ''
  await move(stage, number, ['TRANSIT'])
  await move(stage, number, ['COURIER', 'DELIVERED'])
}

async function move({ shop }: Stage, number: string, codes: readonly string[]): Promise<void> {
  const startedAt = Date.now()
  const events = codes.map((code, nth) => ({ code, at: new Date(startedAt + nth).toISOString() }))
  const answer = await fetch(`${shop.carrier.url}/control/parcels/${number}/events`, {
    method: 'POST',
    body: JSON.stringify({ events, webhooks: shop.carrierHooks }),
  })
  if (!answer.ok) throw new Error(`the carrier answered ${answer.status}`)
}

/** From accepted to picked up. */
export async function cook(stage: Stage): Promise<void> {
  const { merchant, orderId } = stage
  const { shipmentId: ticketId } = await stage.answer(merchant.orders.accept({ orderId }))
  await stage.sees(async () => {
    const found = await stage.shop.world.sql`select from shipping.tickets where id = ${ticketId}`
    return found.count === 1 ? ticketId : null
  })
  for (const to of ['preparing', 'ready', 'picked_up'] as const)
    await stage.act(merchant.shipping.advanceTicket({ ticketId, to }))
}
