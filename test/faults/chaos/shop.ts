import { v7 as uuidv7 } from 'uuid'
import { type Client, createClient } from '../../../client/client.ts'
import { type Mailbox, startMailbox } from '../../../deploy/local/mailbox.ts'
import { freePort } from '../../../deploy/local/ports.ts'
import type { Role } from '../../../queues/access.ts'
import { readConfig } from '../../../workers/accounts/config.ts'
import { loadSigningKey } from '../../../workers/accounts/signing-key.ts'
import { signAccessToken } from '../../../workers/accounts/tokens.ts'
import { type Simulator, startSimulator } from '../../../workers/shipping/simulator/server.ts'
import { type Child, keepAlive, startChild } from '../children.ts'
import { type PrivateServers, startPrivateServers } from '../servers.ts'
import { openTaps, type Taps } from '../steps.ts'
import { openWorld, type World } from '../world.ts'

/** Where shops are opened: servers that may be hurt, a mailbox and a carrier that may not. */
export interface Premises {
  readonly servers: PrivateServers
  readonly mailbox: Mailbox
  readonly carrier: Simulator
  /** Has this happen to a parcel, and tells nobody. */
  readonly moveParcel: (trackingNumber: string, code: string) => Promise<void>
  readonly close: () => Promise<void>
}

export async function openPremises(): Promise<Premises> {
  const [servers, mailbox] = await Promise.all([startPrivateServers(), startMailbox({ port: 0 })])
  const carrier = startSimulator({ port: 0, secret: 'development-only' })
  return {
    servers,
    mailbox,
    carrier,
    moveParcel: async (trackingNumber, code) => {
      await fetch(`${carrier.url}/control/parcels/${trackingNumber}`, {
        method: 'POST',
        body: JSON.stringify({ events: [{ code }], webhooks: 'none' }),
      })
    },
    close: async () => {
      await Promise.all([servers.stop(), mailbox.stop(), carrier.stop()])
    },
  }
}

/** All of Waybill in one process behind taps, on a database of its own, started again whenever it dies. */
export interface Shop {
  readonly premises: Premises
  readonly world: World
  readonly taps: Taps
  readonly kill: () => void
  /** A client that asks again, with the same key, for as long as it takes. */
  readonly clientOf: (person: { readonly id: string; readonly role: Role }) => Promise<Client>
  readonly close: () => Promise<void>
}

export async function openShop(premises: Premises): Promise<Shop> {
  const { servers, mailbox, carrier } = premises
  const world = await openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })
  const taps = await openTaps(world)
  const port = await freePort()
  const { secret, issuer, audience } = readConfig({})
  const key = await loadSigningKey(world.sql, secret, new Date())
  let child: Child | undefined
  const supervisor = await keepAlive(async () => {
    child = await startChild('deploy/single.ts', {
      DATABASE_URL: taps.databaseUrl,
      REDIS_URL: taps.redisUrl,
      QUEUE_PREFIX: world.redis.prefix,
      SMTP_URL: mailbox.url,
      PORT: String(port),
      CARRIERS: 'manual,simulator',
      CARRIER_SIMULATOR_URL: carrier.url,
      ...promptInquiries,
    })
    return child
  })
  return {
    premises,
    world,
    taps,
    kill: () => child?.kill('SIGKILL'),
    clientOf: ({ id, role }) => {
      const identity = { accountId: id, roles: [role] }
      return patientClient(`http://127.0.0.1:${port}`, () =>
        signAccessToken(identity, key, { issuer, audience, jti: uuidv7(), now: new Date() }),
      )
    },
    close: async () => {
      await supervisor.stop()
      taps.close()
      await world.close()
    },
  }
}

/** A provider or carrier that does not answer is asked again soon. */
const promptInquiries = {
  CARRIER_INQUIRIES_MS: `100,200,500${',1000'.repeat(40)}`,
  PAYMENT_TIMEOUT_MS: '300',
  PAYMENT_INQUIRIES_MS: `100,200,500${',1000'.repeat(40)}`,
}

const patientClient = async (baseUrl: string, sign: () => Promise<string>): Promise<Client> =>
  createClient({ baseUrl, token: await sign(), attemptsMax: 400, retryDelayMs: () => 150 })
