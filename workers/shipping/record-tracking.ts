import type { Sql } from '../../db/client.ts'
import type { Handler } from '../../queues/outcome.ts'
import { rejected } from '../../queues/outcome.ts'
import type { recordTracking as command } from '../../queues/shipments.ts'
import { tellOf } from './shipment-commands.ts'
import * as store from './store.ts'

/** Clocks differ by as much. */
const aheadMs = 5 * 60_000

/** What the merchant says of a parcel, beside whatever its carrier says. */
export const recordTracking =
  (sql: Sql): Handler<typeof command> =>
  async ({ id, input, now }) => {
    const { shipmentId, status, eventId = id, note = null, trackingNumber = null, trackingUrl = null } = input
    const occurredAt = new Date(input.occurredAt)
    if (occurredAt.getTime() > now.getTime() + aheadMs) return rejected('occurred_in_future')
    const shipment = await store.findShipment(sql, shipmentId)
    if (!shipment) return rejected('shipment_not_found')
    if (shipment.status === 'pending') return rejected('shipment_state_conflict', { current: 'pending' })
    const isTyped = trackingNumber !== null || trackingUrl !== null
    const effects = tellOf(shipmentId, [{ source: 'merchant', id: eventId, status, occurredAt, note }])
    return async tx => {
      if (isTyped && !(await store.setTrackingNumber(tx, shipmentId, { trackingNumber, trackingUrl })))
        return rejected('tracking_given')
      return await effects(tx)
    }
  }
