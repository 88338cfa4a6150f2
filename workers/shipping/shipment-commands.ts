import type { Sql } from '../../db/client.ts'
import type { ShipmentStatus } from '../../queues/fulfilment.ts'
import {
  done,
  type Effects,
  follow,
  type Handlers,
  type Job,
  later,
  rejected,
  type Tx,
} from '../../queues/outcome.ts'
import {
  type createShipment,
  expireSilent,
  forgetHints,
  trackOverdue,
  trackShipment,
} from '../../queues/shipments.ts'
import type { shipping } from '../../queues/shipping.ts'
import type { LabelAnswer } from './carrier.ts'
import type { CarrierAtWork, Carriers } from './carriers.ts'
import { inquiryDelayMs, labelKeyOf, newsOf } from './domain.ts'
import { readOffered } from './rate-store.ts'
import * as store from './store.ts'

/** Parcels that one run of the clock takes; the rest follow at once. */
const overdueMax = 200
const silentMax = 100
/** Webhooks that one run of the clock deletes. */
const forgottenMax = 500

export interface ShipmentDeps {
  readonly sql: Sql
  readonly carriers: Carriers
  /** Waits before a carrier that did not answer is asked for the label again. */
  readonly inquiriesMs: readonly number[]
}

type ShipmentHandlers = Pick<
  Handlers<typeof shipping>,
  | 'shipping.create-shipment'
  | 'shipping.cancel-shipment'
  | 'shipping.track-shipment'
  | 'shipping.track-overdue'
  | 'shipping.expire-silent'
  | 'shipping.forget-hints'
>

export const shipmentHandlers = (deps: ShipmentDeps): ShipmentHandlers => ({
  'shipping.create-shipment': async job => {
    const { shipmentId } = job.input
    const isNew = await open(job, deps)
    const shipment = await load(shipmentId, deps)
    if (shipment.status !== 'pending') return done({ shipmentId, status: shipment.status })
    const reply = await askForLabel(shipment, isNew, job.signal, deps)
    switch (reply.kind) {
      case 'answer':
        return settle(shipmentId, reply.answer, job)
      case 'unknown':
        return async tx => {
          await store.countInquiry(tx, shipmentId)
          return askAgain(shipment.inquiries + 1, reply.because, deps)
        }
      case 'not_sent':
        return later(reply.restMs, 'the carrier keeps failing')
    }
  },

  'shipping.cancel-shipment': async ({ input: { shipmentId, reason = null }, now, signal }) => {
    const shipment = await store.findShipment(deps.sql, shipmentId)
    if (!shipment) return rejected('shipment_not_found')
    if (shipment.status === 'cancelled') return done({ shipmentId, status: shipment.status })
    if (shipment.status !== 'label_created')
      return rejected('shipment_state_conflict', { current: shipment.status })
    const { carrier, ask } = carrierOf(shipment, deps)
    const reply = await ask(callSignal => carrier.cancelLabel(labelKeyOf(shipmentId), callSignal), signal)
    if (reply.kind === 'not_sent') return later(reply.restMs, 'the carrier keeps failing')
    if (reply.kind === 'unknown') throw new Error(`the carrier did not answer: ${reply.because}`)
    if (reply.answer.kind === 'refused') return rejected('carrier_refused', { because: reply.answer.because })
    return tellOf(shipmentId, [
      { source: 'label', id: 'cancelled', status: 'cancelled', occurredAt: now, note: reason },
    ])
  },

  'shipping.track-shipment': async ({ input: { shipmentId }, signal }) => {
    const shipment = await store.findShipment(deps.sql, shipmentId)
    if (!shipment) return rejected('shipment_not_found')
    const { trackingNumber, status } = shipment
    if (trackingNumber === null) return done({ shipmentId, status })
    const { carrier, ask } = carrierOf(shipment, deps)
    const reply = await ask(callSignal => carrier.track(trackingNumber, callSignal), signal)
    if (reply.kind === 'not_sent') return later(reply.restMs, 'the carrier keeps failing')
    if (reply.kind === 'unknown') throw new Error(`the carrier did not answer: ${reply.because}`)
    if (reply.answer === null) return done({ shipmentId, status })
    return tellOf(
      shipmentId,
      reply.answer.map(scan => ({ ...scan, source: carrier.name })),
    )
  },

  'shipping.track-overdue': async () => async tx => {
    const ids = await store.takeOverdue(tx, overdueMax)
    const asked = ids.map(shipmentId => follow(trackShipment, { shipmentId }))
    const rest = ids.length === overdueMax ? [follow(trackOverdue, {})] : []
    return done({ shipments: ids.length }, { follow: [...asked, ...rest] })
  },

  'shipping.forget-hints': async () => async tx => {
    const hints = await store.forgetHints(tx, forgottenMax)
    return done({ hints }, { follow: hints === forgottenMax ? [follow(forgetHints, {})] : [] })
  },

  'shipping.expire-silent':
    async ({ now }) =>
    async tx => {
      const ids = await store.findSilent(tx, silentMax)
      const news = []
      for (const id of ids) {
        const expired = { source: 'clock', id: now.toISOString(), occurredAt: now, note: null }
        const moved = await store.tell(tx, id, [{ ...expired, status: 'expired' }])
        if (moved) news.push(...newsOf(moved))
      }
      const rest = ids.length === silentMax ? [follow(expireSilent, {})] : []
      return done({ shipments: ids.length }, { emit: news, follow: rest })
    },
})

/** Says this of the parcel, and tells others what became of it. */
export const tellOf = (shipmentId: string, told: readonly store.Told[]) => async (tx: Tx) => {
  const moved = await store.tell(tx, shipmentId, told)
  if (!moved) return rejected('shipment_not_found')
  return done({ shipmentId, status: moved.after }, { emit: newsOf(moved) })
}

async function open({ input, now }: Job<typeof createShipment>, { sql }: ShipmentDeps): Promise<boolean> {
  const { shipmentId, rate, lines, orderId, storeId, customerId, destination } = input
  const offered = await readOffered(sql, lines)
  return await store.openShipment(sql, {
    id: shipmentId,
    orderId,
    storeId,
    customerId,
    lines,
    destination,
    rateId: rate?.rateId ?? null,
    carrier: rate?.carrier ?? 'manual',
    service: rate?.service ?? 'Standard',
    weightG: offered.reduce((sum, { weightG, quantity }) => sum + (weightG ?? 0) * quantity, 0),
    originCountry: offered[0]?.country ?? null,
    createdAt: now,
  })
}

async function load(id: string, { sql }: ShipmentDeps): Promise<store.ShipmentRow> {
  const shipment = await store.findShipment(sql, id)
  if (!shipment) throw new Error(`shipment ${id} is neither new nor known`)
  return shipment
}

/** A label that the carrier may have sold is looked up by its key before it is asked for again. */
function askForLabel(shipment: store.ShipmentRow, isNew: boolean, signal: AbortSignal, deps: ShipmentDeps) {
  const { id, service, destination, weightG, originCountry } = shipment
  const { carrier, ask } = carrierOf(shipment, deps)
  const key = labelKeyOf(id)
  const from = originCountry === null ? null : { country: originCountry }
  return ask<LabelAnswer>(async callSignal => {
    const known = isNew ? null : await carrier.findLabel(key, callSignal)
    return known ?? (await carrier.buyLabel({ key, service, destination, weightG, from }, callSignal))
  }, signal)
}

function carrierOf({ carrier }: store.ShipmentRow, { carriers }: ShipmentDeps): CarrierAtWork {
  const found = carriers.get(carrier)
  if (!found) throw new Error(`no carrier ${carrier} is at work: see the setting CARRIERS`)
  return found
}

const settle =
  (id: string, answer: LabelAnswer, { now }: Job<typeof createShipment>): Effects<typeof createShipment> =>
  async tx => {
    const isNews = await store.keepLabel(tx, { id, answer, at: now })
    const bought = { source: 'label', id: 'bought', status: 'label_created', occurredAt: now } as const
    const note = answer.kind === 'refused' ? answer.because : null
    const moved = await store.tell(tx, id, isNews ? [{ ...bought, note }] : [])
    if (!moved) throw new Error(`shipment ${id} is gone`)
    const { after } = moved
    const before: ShipmentStatus = isNews ? 'pending' : moved.before
    const early = isNews && (await store.hasHints(tx, id)) ? [follow(trackShipment, { shipmentId: id })] : []
    return done({ shipmentId: id, status: after }, { emit: newsOf({ ...moved, before }), follow: early })
  }

/** The next inquiry; when the schedule has run out it throws, and the dead letter is the case for a person to review. */
function askAgain(unanswered: number, because: string, { inquiriesMs }: ShipmentDeps) {
  const delayMs = inquiryDelayMs(unanswered, inquiriesMs)
  if (delayMs === null) throw new Error(`the carrier left ${unanswered} calls unanswered: ${because}`)
  return later(delayMs, `the carrier did not answer: ${because}`)
}
