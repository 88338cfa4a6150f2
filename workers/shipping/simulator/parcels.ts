import { randomUUID } from 'node:crypto'
import { signatureOf } from '../carriers/signature.ts'
import { lostCode } from './moods.ts'

/** How the webhooks of some events are sent. */
export const hooks = ['once', 'twice', 'reversed', 'late', 'none'] as const
export type Hooks = (typeof hooks)[number]

interface Scan {
  readonly id: string
  readonly code: string
  readonly at: string
  readonly text: string
}
interface Parcel {
  readonly trackingNumber: string
  /** What the key was used for: for something else it is refused. */
  readonly terms: string
  readonly scans: Scan[]
  isCancelled: boolean
}

const lateMs = 500
/** What happens to a parcel that is left alone. */
const journey = ['TRANSIT', 'COURIER', 'DELIVERED']
const lostJourney = ['TRANSIT', 'LOST']

/** Labels by key and parcels by number, for as long as the process lives. */
export function createParcels({
  secret,
  webhookUrl,
  stepMs = 0,
}: {
  readonly secret: string
  readonly webhookUrl?: string
  readonly stepMs?: number
}) {
  const byKey = new Map<string, Parcel>()
  const byNumber = new Map<string, Parcel>()
  const timers = new Set<Timer>()

  const later = (ms: number, act: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      act()
    }, ms)
    timers.add(timer)
  }
  const tell = async ({ trackingNumber }: Parcel, { id, code, at }: Scan) => {
    if (webhookUrl === undefined) return
    const raw = new TextEncoder().encode(JSON.stringify({ id, trackingNumber, code, at }))
    const headers = {
      'content-type': 'application/json',
      'simulator-signature': signatureOf(raw, secret, new Date()),
    }
    // A webhook that nobody takes is lost: that, too, happens.
    await fetch(webhookUrl, { method: 'POST', body: raw, headers }).catch(() => {})
  }
  const travel = (parcel: Parcel, [code, ...rest]: readonly string[]) => {
    if (code === undefined || stepMs === 0) return
    later(stepMs, () => {
      if (parcel.isCancelled) return
      const scan = scanOf({ code })
      parcel.scans.push(scan)
      void tell(parcel, scan)
      travel(parcel, rest)
    })
  }
  return {
    sell: (key: string, { destination, service, weightG }: Record<string, unknown>): Response => {
      const terms = JSON.stringify([destination, service, weightG])
      const known = byKey.get(key)
      if (known && known.terms !== terms) return say(409, { message: 'the key has another label' })
      if (known) return say(200, labelOf(known))
      const parcel: Parcel = { trackingNumber: `SIM${numberOf()}`, terms, scans: [], isCancelled: false }
      byKey.set(key, parcel)
      byNumber.set(parcel.trackingNumber, parcel)
      travel(parcel, terms.includes(lostCode) ? lostJourney : journey)
      return say(201, labelOf(parcel))
    },
    /** How many labels there are. */
    sold: () => byKey.size,
    find: (key: string): Response => {
      const parcel = byKey.get(key)
      return parcel ? say(200, labelOf(parcel)) : say(404, {})
    },
    cancel: (key: string): Response => {
      const parcel = byKey.get(key)
      if (!parcel) return say(404, {})
      if (parcel.scans.length > 0) return say(422, { message: 'The parcel is on its way.' })
      parcel.isCancelled = true
      return say(200, {})
    },
    track: (trackingNumber: string): Response => {
      const parcel = byNumber.get(trackingNumber)
      return parcel ? say(200, { events: parcel.scans }) : say(404, {})
    },
    /** Lets these things happen to a parcel, and tells of them. */
    move: async (
      trackingNumber: string,
      { events, webhooks = 'once' }: { events: Partial<Scan>[]; webhooks?: Hooks },
    ): Promise<Response> => {
      const parcel = byNumber.get(trackingNumber)
      if (!parcel) return say(404, {})
      const scans = events.map(scanOf)
      parcel.scans.push(...scans)
      const told = {
        once: scans,
        twice: [...scans, ...scans],
        reversed: scans.toReversed(),
        late: scans,
        none: [],
      }
      if (webhooks === 'late')
        later(lateMs, () => {
          for (const scan of told.late) void tell(parcel, scan)
        })
      else for (const scan of told[webhooks]) await tell(parcel, scan)
      return say(200, { events: scans })
    },
    stop: () => {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}

const scanOf = ({
  id = randomUUID(),
  code = 'TRANSIT',
  at = new Date().toISOString(),
  text = `Simulated: ${code}.`,
}: Partial<Scan>): Scan => ({ id, code, at, text })

const labelOf = ({ trackingNumber }: Parcel) => ({
  trackingNumber,
  trackingUrl: `https://carrier.invalid/track/${trackingNumber}`,
  zplBase64: Buffer.from(`^XA^FO50,50^BCN,100^FD${trackingNumber}^FS^XZ`).toString('base64'),
})

const numberOf = (): string => randomUUID().replaceAll('-', '').slice(0, 16).toUpperCase()

const say = (status: number, body: object): Response => Response.json(body, { status })
