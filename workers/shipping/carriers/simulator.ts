import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { ShipmentStatus } from '../../../queues/fulfilment.ts'
import { NotSent, RemoteRefusal } from '../../runtime/ask.ts'
import { BadSignature, type Carrier, type LabelAnswer } from '../carrier.ts'
import type { SimulatorSettings } from '../config.ts'
import { checkSignature } from './signature.ts'

const Rates = Type.Object({
  rates: Type.Array(
    Type.Object({
      service: Type.String({ minLength: 1, maxLength: 60 }),
      amountMinor: Type.Integer({ minimum: 0 }),
      currency: Type.String({ pattern: '^[A-Z]{3}$' }),
      etaDays: Type.Integer({ minimum: 0, maximum: 365 }),
    }),
    { maxItems: 100 },
  ),
})
const BoughtLabel = Type.Object({
  trackingNumber: Type.String({ minLength: 1, maxLength: 100 }),
  trackingUrl: Type.String({ maxLength: 500 }),
  zplBase64: Type.String({ maxLength: 100_000 }),
})
const Events = Type.Object({
  events: Type.Array(
    Type.Object({
      id: Type.String({ minLength: 1, maxLength: 100 }),
      code: Type.String(),
      at: Type.String(),
      text: Type.String({ maxLength: 300 }),
    }),
    { maxItems: 1_000 },
  ),
})
const Refused = Type.Object({ message: Type.String({ maxLength: 300 }) })
const Hook = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 100 }),
  trackingNumber: Type.String({ minLength: 1, maxLength: 100 }),
})

/** What the simulated carrier calls things. */
export const statuses: Readonly<Record<string, ShipmentStatus>> = {
  TRANSIT: 'in_transit',
  COURIER: 'out_for_delivery',
  SHOP: 'available_for_pickup',
  NOBODY_HOME: 'attempt_failed',
  DAMAGED: 'exception',
  DELIVERED: 'delivered',
  RETURNED: 'returned_to_sender',
  LOST: 'lost',
}

/** The carrier of the simulator, over HTTP like any other. */
export function createSimulated({ url, secret }: SimulatorSettings): Carrier {
  const call = async (method: string, path: string, signal: AbortSignal, body?: object, key?: string) =>
    await fetch(`${url}${path}`, {
      method,
      signal,
      headers: { 'content-type': 'application/json', ...(key && { 'idempotency-key': key }) },
      ...(body && { body: JSON.stringify(body) }),
    }).catch(notConnected)

  return {
    name: 'simulator',
    rates: async (request, signal) => {
      const answer = await call('POST', '/rates', signal, request)
      if (answer.status === 422) return { kind: 'no_address', because: (await read(Refused, answer)).message }
      return { kind: 'rates', ...(await read(Rates, answer)) }
    },
    buyLabel: async ({ key, ...request }, signal) =>
      await toLabel(await call('POST', '/labels', signal, request, key)),
    findLabel: async (key, signal) => {
      const answer = await call('GET', `/labels/${encodeURIComponent(key)}`, signal)
      return answer.status === 404 ? null : await toLabel(answer)
    },
    cancelLabel: async (key, signal) => {
      const answer = await call('DELETE', `/labels/${encodeURIComponent(key)}`, signal)
      if (answer.status === 422) return { kind: 'refused', because: (await read(Refused, answer)).message }
      await read(Type.Object({}), answer)
      return { kind: 'cancelled' }
    },
    track: async (trackingNumber, signal) => {
      const answer = await call('GET', `/parcels/${encodeURIComponent(trackingNumber)}`, signal)
      return (await read(Events, answer)).events.map(({ id, code, at, text }) => ({
        id,
        status: statuses[code] ?? 'unknown',
        occurredAt: instantOf(at),
        note: text,
      }))
    },
    readEvent: async (raw, headers, now) => {
      checkSignature(raw, headers.get('simulator-signature'), secret, now)
      return readHook(raw)
    },
  }
}

async function toLabel(answer: Response): Promise<LabelAnswer> {
  if (answer.status === 422) return { kind: 'refused', because: (await read(Refused, answer)).message }
  const { trackingNumber, trackingUrl, zplBase64 } = await read(BoughtLabel, answer)
  return {
    kind: 'bought',
    label: { trackingNumber, trackingUrl, document: { format: 'zpl', base64: zplBase64 } },
  }
}

/** The body, if it is what was to be expected. 4xx is a bug of ours; everything else leaves open what happened. */
async function read<S extends TSchema>(schema: S, answer: Response): Promise<Static<S>> {
  const body: unknown = await answer.json().catch(() => null)
  if (answer.status >= 400 && answer.status < 500 && answer.status !== 422)
    throw new RemoteRefusal(`the simulated carrier answered ${answer.status}`)
  if (answer.status >= 500) throw new Error(`the simulated carrier answered ${answer.status}`)
  if (!Value.Check(schema, body)) throw new Error('the simulated carrier answered something else')
  return body
}

/** Signed, so the carrier did send it: what is no event of ours is a bug, and as useless as a forgery. */
function readHook(raw: Uint8Array): Static<typeof Hook> {
  const body: unknown = JSON.parse(new TextDecoder().decode(raw))
  if (!Value.Check(Hook, body)) throw new BadSignature('that is no event')
  return { id: body.id, trackingNumber: body.trackingNumber }
}

function instantOf(text: string): Date {
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) throw new Error(`the simulated carrier says ${text} is a time`)
  return at
}

/** Nobody listens there: then certainly nothing was sent. */
function notConnected(error: unknown): never {
  if ((error as { code?: unknown } | null)?.code === 'ConnectionRefused')
    throw new NotSent('the simulated carrier is not there')
  throw error
}
