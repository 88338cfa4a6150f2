import type { Handlers } from '../../queues/outcome.ts'
import type { shipping } from '../../queues/shipping.ts'
import { type RateDeps, rateHandlers } from './rate-commands.ts'
import { recordTracking } from './record-tracking.ts'
import { type ShipmentDeps, shipmentHandlers } from './shipment-commands.ts'
import { ticketHandlers } from './ticket-commands.ts'

export const handlers = (deps: RateDeps & ShipmentDeps): Handlers<typeof shipping> => ({
  ...rateHandlers(deps),
  ...shipmentHandlers(deps),
  ...ticketHandlers(),
  'shipping.record-tracking': recordTracking(deps.sql),
})
