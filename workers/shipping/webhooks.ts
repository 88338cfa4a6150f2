import { record } from '../../queues/journal.ts'
import { follow } from '../../queues/outcome.ts'
import { trackShipment } from '../../queues/shipments.ts'
import { startTrace } from '../../queues/trace.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import { BadSignature } from './carrier.ts'
import type { Carriers } from './carriers.ts'
import { keepHint } from './store.ts'

export type HintAnswer = 'kept' | 'bad_signature' | 'no_carrier'

/** A webhook of a carrier: verified on the bytes that came, kept once, and then a reason to ask the carrier. */
export type TakeHint = (carrier: string, raw: Uint8Array, headers: Headers) => Promise<HintAnswer>

export const createTakeHint =
  (
    { sql, newId, now, enqueue }: Pick<ServiceDeps, 'sql' | 'newId' | 'now' | 'enqueue'>,
    carriers: Carriers,
  ): TakeHint =>
  async (name, raw, headers) => {
    const found = carriers.get(name)
    if (!found) return 'no_carrier'
    const event = await found.carrier.readEvent(raw, headers, now()).catch(nullIfForged)
    if (event === null) return 'bad_signature'
    const commands = await sql.begin(async tx => {
      const hint = { carrier: name, eventId: event.id, trackingNumber: event.trackingNumber, raw }
      const about = await keepHint(tx, hint)
      if (about === null) return []
      const { shipmentId, customerId } = about
      const what = { follow: [follow(trackShipment, { shipmentId })] }
      return await record(tx, what, { actorId: customerId, traceparent: startTrace(), newId })
    })
    enqueue(commands)
    return 'kept'
  }

function nullIfForged(error: unknown): null {
  if (error instanceof BadSignature) return null
  throw error
}
