import { service } from './command.ts'
import {
  shipmentChanged,
  shipmentCreated,
  shipmentDelivered,
  shipmentLost,
  shipmentReturned,
} from './fulfilment.ts'
import { advanceTicket, openTicket } from './kitchen.ts'
import { findRates, forgetRates, setTableRates } from './rates.ts'
import {
  cancelShipment,
  createShipment,
  expireSilent,
  forgetHints,
  recordTracking,
  trackOverdue,
  trackShipment,
} from './shipments.ts'

export const shipping = service('shipping', {
  summary:
    'What it costs to send a basket somewhere, parcels and their tracking, and the tickets of kitchens.',
  commands: [
    setTableRates,
    findRates,
    forgetRates,
    createShipment,
    recordTracking,
    cancelShipment,
    trackShipment,
    trackOverdue,
    expireSilent,
    forgetHints,
    openTicket,
    advanceTicket,
  ],
  events: [shipmentCreated, shipmentChanged, shipmentDelivered, shipmentReturned, shipmentLost],
  concurrency: 20,
  lockMs: 10_000,
})
