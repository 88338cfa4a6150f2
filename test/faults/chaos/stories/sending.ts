import { v7 as uuidv7 } from 'uuid'
import { trackShipment } from '../../../../queues/shipments.ts'
import { until } from '../../world.ts'
import { quantity, type Stage, totalMinor } from '../stage.ts'
import { paid, type Story } from '../story.ts'
import { payFor } from './cancelling.ts'

/** What the simulated carrier asks for a parcel of no weight. */
const postageMinor = 420

export const sending: readonly Story[] = [
  {
    name: 'sent',
    says: 'a paid order is sent by the carrier of its rate, and delivered',
    play: async stage => {
      await payWithRate(stage)
      await stage.act(stage.merchant.orders.ship({ orderId: stage.orderId }))
      await deliver(stage)
      await stage.reaches('completed')
    },
    rights: [{ ...paid, state: 'completed', pieces: 'fulfilled', takenMinor: totalMinor + postageMinor }],
  },
  {
    name: 'cooked',
    says: 'a restaurant accepts a paid order, cooks it, and hands it over',
    play: async stage => {
      await beRestaurant(stage)
      await payFor(stage)
      await stage.act(stage.merchant.orders.accept({ orderId: stage.orderId }))
      const ticketId = await ticketOf(stage)
      for (const to of ['preparing', 'ready', 'picked_up'] as const)
        await stage.act(stage.merchant.shipping.advanceTicket({ ticketId, to }))
      await stage.reaches('completed')
    },
    rights: [{ ...paid, state: 'completed', pieces: 'fulfilled' }],
  },
]

async function payWithRate(stage: Stage): Promise<void> {
  const lines = [{ sku: stage.sku, quantity }]
  const destination = { name: 'Some Buyer', line1: 'Hauptstr. 1', city: 'Berlin', country: 'DE' }
  const { rates } = await stage.answer(stage.customer.shipping.findRates({ lines, destination }))
  const rate = rates.find(each => each.amountMinor === postageMinor)
  if (!rate) throw new Error('the carrier offers nothing')
  await stage.order({ lines, paymentMethod: 'pm_card_ok', shippingRateId: rate.rateId })
  await stage.reaches('paid')
  await stage.quiet()
  stage.curtain()
}

/** Once the parcel has its label, the carrier brings it, and is asked. */
async function deliver({ shop, orderId, clock, complaints }: Stage): Promise<void> {
  const { sql } = shop.world
  const labelled = () => sql<{ id: string; trackingNumber: string }[]>`
    select id, tracking_number as "trackingNumber" from shipping.shipments
    where order_id = ${orderId} and status = 'label_created'`
  await until(async () => (await labelled()).count > 0, patienceMs)
  const parcels = await labelled()
  if (parcels.length !== 1) complaints.push(`there are ${parcels.length} parcels`)
  for (const { id, trackingNumber } of parcels) {
    await shop.premises.moveParcel(trackingNumber, 'DELIVERED')
    await clock(trackShipment, { shipmentId: id })
  }
}

async function beRestaurant({ shop, sku }: Stage): Promise<void> {
  const { sql } = shop.world
  const storeId = uuidv7()
  await sql`insert into catalog.stores (id, kind, name, capture, accept_within_ms, created_at)
    values (${storeId}, 'restaurant', 'A kitchen', 'automatic', 3600000, now())`
  await sql`update catalog.products set store_id = ${storeId} where sku = ${sku}`
}

async function ticketOf({ shop, orderId }: Stage): Promise<string> {
  const { sql } = shop.world
  const tickets = () => sql<{ id: string }[]>`select id from shipping.tickets where order_id = ${orderId}`
  await until(async () => (await tickets()).count === 1, patienceMs)
  return (await tickets())[0]?.id ?? ''
}

const patienceMs = 60_000
