import { v7 as uuidv7 } from 'uuid'
import { type Client, createClient } from '../../../client/client.ts'
import { type Mailbox, startMailbox } from '../../../deploy/local/mailbox.ts'
import { freePort } from '../../../deploy/local/ports.ts'
import type { Role } from '../../../queues/access.ts'
import { readConfig } from '../../../workers/accounts/config.ts'
import { loadSigningKey } from '../../../workers/accounts/signing-key.ts'
import { signAccessToken } from '../../../workers/accounts/tokens.ts'
import { type Simulator as Provider, startSimulator } from '../../../workers/payments/simulator/server.ts'
import {
  type Simulator as Carrier,
  startSimulator as startCarrier,
} from '../../../workers/shipping/simulator/server.ts'
import { type Child, keepAlive, startChild } from '../children.ts'
import { type PrivateServers, startPrivateServers } from '../servers.ts'
import { openTaps, type Taps } from '../steps.ts'
import { openWorld, type World } from '../world.ts'

/** Where shops are opened: servers that may be hurt, and a mailbox that may not. */
export interface Premises {
  readonly servers: PrivateServers
  readonly mailbox: Mailbox
  readonly close: () => Promise<void>
}

export async function openPremises(): Promise<Premises> {
  const [servers, mailbox] = await Promise.all([startPrivateServers(), startMailbox({ port: 0 })])
  return {
    servers,
    mailbox,
    close: async () => {
      await Promise.all([servers.stop(), mailbox.stop()])
    },
  }
}

/** All of Waybill in one process behind taps, on a database of its own, started again whenever it dies. */
export interface Shop {
  readonly premises: Premises
  readonly url: string
  readonly world: World
  readonly taps: Taps
  /** Of its own, like the carrier: each may misbehave. */
  readonly provider: Provider
  /** Which loses what it tells while the shop is dead. */
  readonly carrier: Carrier
  /** How the carrier tells what happened. */
  carrierHooks: string
  readonly kill: () => void
  /** A client that asks again, with the same key, for as long as it takes. */
  readonly clientOf: (person: { readonly id: string; readonly role: Role }) => Promise<Client>
  readonly close: () => Promise<void>
}

export async function openShop(premises: Premises): Promise<Shop> {
  const { servers, mailbox } = premises
  const world = await openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })
  const taps = await openTaps(world)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const provider = startSimulator({
    webhookUrl: `${url}/v1/webhooks/payments/simulator`,
    webhookSecret,
    laterMs: 200,
    slowMs: 500,
  })
  const carrier = startCarrier({
    port: 0,
    secret: carrierSecret,
    webhookUrl: `${url}/v1/webhooks/shipping/simulator`,
    slowMs: 600,
    silentMs: 2_000,
  })
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
      SIMULATOR_URL: provider.url,
      SIMULATOR_WEBHOOK_SECRET: webhookSecret,
      CARRIERS: 'manual,simulator',
      CARRIER_SIMULATOR_URL: carrier.url,
      CARRIER_SIMULATOR_SECRET: carrierSecret,
      ...promptInquiries,
    })
    return child
  })
  return {
    premises,
    url,
    world,
    taps,
    provider,
    carrier,
    carrierHooks: 'once',
    kill: () => child?.kill('SIGKILL'),
    clientOf: ({ id, role }) => {
      const identity = { accountId: id, roles: [role] }
      return patientClient(url, () =>
        signAccessToken(identity, key, { issuer, audience, jti: uuidv7(), now: new Date() }),
      )
    },
    close: async () => {
      await supervisor.stop()
      taps.close()
      await Promise.all([world.close(), provider.stop(), carrier.stop()])
    },
  }
}

export const webhookSecret = 'a secret of the provider'
const carrierSecret = 'a secret of the carrier'
const inquiriesMs = `100,200,500${',1000'.repeat(40)}`
/** Who does not answer is asked again soon. */
const promptInquiries = {
  PAYMENT_TIMEOUT_MS: '300',
  PAYMENT_INQUIRIES_MS: inquiriesMs,
  CARRIER_TIMEOUT_MS: '300',
  CARRIER_INQUIRIES_MS: inquiriesMs,
}

const patientClient = async (baseUrl: string, sign: () => Promise<string>): Promise<Client> =>
  createClient({ baseUrl, token: await sign(), attemptsMax: 400, retryDelayMs: () => 150 })
