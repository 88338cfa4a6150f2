import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { migrate } from '../../db/migrate.ts'
import { SettingError } from '../../queues/settings.ts'
import {
  type Simulator as Provider,
  startSimulator as startProvider,
} from '../../workers/payments/simulator/server.ts'
import {
  type Simulator as Carrier,
  startSimulator as startCarrier,
} from '../../workers/shipping/simulator/server.ts'
import { startSingle } from '../single.ts'
import type { Databases } from './development-accounts.ts'
import { type Mailbox, startMailbox } from './mailbox.ts'
import { freePort, preferPort, requirePort, takenPort } from './ports.ts'
import { type Servers, startServers } from './servers.ts'
import { SetupError } from './setup-error.ts'
import type { StartOptions } from './start-options.ts'

/** Waybill at work on this machine. */
export interface Up {
  /** Where the API listens, without a path. */
  readonly url: string
  readonly servers: Servers
  readonly mailbox: Mailbox
  readonly mailsDir: string
  readonly provider: Provider
  readonly carrier: Carrier
  /** Names of the migrations that this start applied. */
  readonly applied: readonly string[]
  readonly databases: Databases
}

const remedy = 'set PORT to another one (PORT=0 takes a free one)'
const mailboxPort = 1025
const providerPort = 4100
const carrierPort = 4200
/** A scan of a parcel in so many milliseconds, until it is delivered. */
const parcelStepMs = 5_000

/**
 * Servers, mailbox, migrations, then everything in this process. What is started is entered in `closers` at once,
 * so that a failure or Ctrl-C in between leaves nothing behind.
 */
export async function bringUp(
  { dir, port, logLevel }: Pick<StartOptions, 'dir' | 'port' | 'logLevel'>,
  closers: (() => Promise<unknown>)[],
): Promise<Up> {
  if (port !== 0) await requirePort(port, 'the API', remedy)
  const mailsDir = join(dir, 'mails')
  if (!existsSync(mailsDir)) console.error('Setting up Postgres, Redis and ffmpeg ...')
  const servers = await startServers({
    dir,
    existing: { DATABASE_URL: process.env.DATABASE_URL, REDIS_URL: process.env.REDIS_URL },
  })
  closers.push(servers.stop)
  // Always our own: a mail server that is set for something else would send mails to strangers.
  const mailbox = await startMailbox({ port: await preferPort(mailboxPort), dir: mailsDir })
  closers.push(mailbox.stop)
  const { DATABASE_URL, REDIS_URL } = servers.env
  const applied = await migrate(DATABASE_URL).catch((error: Error) => {
    const orBegin = servers.postgres ? ` (or delete ${join(dir, 'postgres')} to begin with an empty one)` : ''
    throw new SetupError(`The database cannot be migrated: ${error.message}${orBegin}.`)
  })
  const chosen = port === 0 ? await freePort() : port
  const carrier = startCarrier({
    port: await preferPort(carrierPort),
    secret: process.env.CARRIER_SIMULATOR_SECRET || 'development-only',
    webhookUrl: `http://localhost:${chosen}/v1/webhooks/shipping/simulator`,
    stepMs: parcelStepMs,
  })
  closers.push(carrier.stop)
  const provider = startProvider({
    port: await preferPort(providerPort),
    file: join(dir, 'payment-provider.sqlite'),
    webhookUrl: `http://localhost:${chosen}/v1/webhooks/payments/simulator`,
    webhookSecret: process.env.SIMULATOR_WEBHOOK_SECRET || 'development-only',
    webhooks: 'news',
  })
  closers.push(provider.stop)
  const env = Object.freeze({
    CARRIERS: 'manual,simulator',
    MEDIA_DIR: join(dir, 'media'),
    PUBLIC_URL: `http://localhost:${chosen}`,
    ...process.env,
    ...servers.env,
    SMTP_URL: mailbox.url,
    CARRIER_SIMULATOR_URL: carrier.url,
    SIMULATOR_URL: provider.url,
    PORT: String(chosen),
  })
  const log = pino({ level: logLevel, base: null }, pino.destination({ dest: 2, sync: true }))
  const single = await startSingle({ env, log }).catch(error => {
    throw inOneLine(error, chosen)
  })
  closers.push(single.stop)
  const redis = { url: REDIS_URL, prefix: process.env.QUEUE_PREFIX || 'waybill' }
  return {
    url: `http://localhost:${single.port}`,
    servers,
    mailbox,
    mailsDir,
    provider,
    carrier,
    applied,
    databases: { databaseUrl: DATABASE_URL, redis, env, log },
  }
}

function inOneLine(error: unknown, port: number): unknown {
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return takenPort(port, 'the API', remedy)
  return error instanceof SettingError ? new SetupError(error.message) : error
}
