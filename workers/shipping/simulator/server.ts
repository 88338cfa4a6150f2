import { type Behaviour, type Call, createMoods } from './moods.ts'
import { frontPage } from './page.ts'
import { createParcels, type Hooks } from './parcels.ts'

export interface SimulatorOptions {
  /** 0 takes a free port. */
  readonly port: number
  readonly hostname?: string
  /** Signs the webhooks. */
  readonly secret: string
  /** Where they go; nowhere, if it is absent. */
  readonly webhookUrl?: string
  /** Parcels go their way by themselves, a scan in so many milliseconds; 0: only when they are told to. */
  readonly stepMs?: number
  /** How long slow is, and how long silence is kept before the connection is dropped. */
  readonly slowMs?: number
  readonly silentMs?: number
}

export interface Simulator {
  readonly url: string
  readonly stop: () => Promise<void>
}

/**
 * A carrier that sells labels and loses parcels, as a server of its own. It misbehaves by the postal code of the
 * destination (`moods.ts`) or as `POST /control/next` says; `POST /control/parcels/{number}/events` moves a parcel. Its front
 * page says all that.
 */
export function startSimulator(options: SimulatorOptions): Simulator {
  const moods = createMoods(options)
  const parcels = createParcels(options)

  const answer = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url)
    const [, room = '', name = '', what = ''] = pathname.split('/').map(decodeURIComponent)
    const body = request.method === 'POST' ? ((await request.json()) as Record<string, unknown>) : {}
    switch (`${request.method} /${room}`) {
      case 'GET /':
        return frontPage()
      case 'POST /rates':
        return await moods.carryOut('rates', postalCodeOf(body), null, () => ratesFor(body))
      case 'POST /labels': {
        const key = request.headers.get('idempotency-key') ?? ''
        if (key === '') return say(400, { message: 'a label needs a key' })
        return await moods.carryOut('label', postalCodeOf(body), key, () => parcels.sell(key, body))
      }
      case 'GET /labels':
        if (name === '') return say(200, { sold: parcels.sold() })
        return await moods.carryOut('find', '', null, () => parcels.find(name))
      case 'DELETE /labels':
        return await moods.carryOut('cancel', '', null, () => parcels.cancel(name))
      case 'GET /parcels':
        return await moods.carryOut('track', '', null, () => parcels.track(name))
      case 'POST /control':
        return name === 'next'
          ? moods.next(body as { call: Call; behaviour: Behaviour; times?: number })
          : await parcels.move(what, body as { events: { code: string }[]; webhooks?: Hooks })
      default:
        return say(404, { message: 'there is nothing here' })
    }
  }
  const server = Bun.serve({
    port: options.port,
    hostname: options.hostname ?? '127.0.0.1',
    idleTimeout: 60,
    fetch: request => answer(request).catch(error => say(400, { message: String(error) })),
  })
  return {
    url: `http://${server.hostname}:${server.port}`,
    stop: async () => {
      parcels.stop()
      await server.stop(true)
    },
  }
}

const postalCodeOf = ({ destination }: Record<string, unknown>): string =>
  String((destination as { postalCode?: string } | null)?.postalCode ?? '')

/** Two services for everybody: what a parcel costs follows from its weight and from whether it leaves the country. */
function ratesFor(body: Record<string, unknown>): Response {
  const { weightG, currency, destination, from } = body as {
    weightG: number
    currency: string
    destination: { country: string }
    from: { country: string } | null
  }
  const isAbroad = from !== null && from.country !== destination.country
  const kilos = Math.max(1, Math.ceil(weightG / 1_000))
  const economyMinor = 300 + 120 * kilos + (isAbroad ? 900 : 0)
  return say(200, {
    rates: [
      { service: 'Economy', amountMinor: economyMinor, currency, etaDays: isAbroad ? 6 : 3 },
      { service: 'Express', amountMinor: economyMinor * 3, currency, etaDays: 1 },
    ],
  })
}

const say = (status: number, body: object): Response => Response.json(body, { status })
