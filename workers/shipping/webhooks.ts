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
    const command = { id: newId(), type: trackShipment.name, traceparent: startTrace() }
    const hint = { carrier: name, eventId: event.id, trackingNumber: event.trackingNumber, raw }
    const isAsked = await keepHint(sql, { ...hint, command })
    if (isAsked) enqueue([{ id: command.id, type: command.type, delayMs: 0 }])
    return 'kept'
  }

function nullIfForged(error: unknown): null {
  if (error instanceof BadSignature) return null
  throw error
}
