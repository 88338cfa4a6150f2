import { Type } from '@sinclair/typebox'
import { command, service } from './command.ts'
import { shipmentChanged, shipmentCreated, shipmentDelivered, shipmentReturned } from './fulfilment.ts'
import { retry } from './retry.ts'
import { closed } from './schemas.ts'

export const forgetRates = command('shipping.forget-rates', {
  summary: 'Delete rates that expired a day ago or earlier, some at a time.',
  everyMs: 60_000,
  input: Type.Object({}, closed),
  output: Type.Object({ rates: Type.Integer({ minimum: 0, description: 'How many were deleted.' }) }, closed),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})

export const shipping = service('shipping', {
  summary:
    'What it costs to send a basket somewhere, parcels and their tracking, and the tickets of kitchens.',
  commands: [forgetRates],
  events: [shipmentCreated, shipmentChanged, shipmentDelivered, shipmentReturned],
  concurrency: 20,
  lockMs: 10_000,
})
