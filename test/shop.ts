import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '../client/client.ts'
import type { Sql } from '../db/client.ts'
import { developmentAccounts, ensureDevelopmentAccounts } from '../deploy/local/development-accounts.ts'
import { type Mailbox, startMailbox } from '../deploy/local/mailbox.ts'
import { startSingle } from '../deploy/single.ts'
import type { Env } from '../queues/settings.ts'
import { testDatabase, testLog, testRedis } from './harness.ts'

/** Edge and all services in this process, on a port of their own, with a real mail server beside them. */
export interface Shop {
  readonly url: string
  /** Connections of the owner of the database, which may look everywhere. */
  readonly sql: Sql
  readonly mailbox: Mailbox
  /** A folder that goes with the shop. */
  readonly dir: string
  readonly signIn: (login: { readonly email: string; readonly password: string }) => Promise<SignedIn>
  /** People who have just opened their accounts. */
  readonly newCustomers: (count: number) => Promise<readonly SignedIn[]>
  readonly merchant: () => Promise<SignedIn>
  readonly close: () => Promise<void>
}

export interface SignedIn {
  readonly client: Client
  /** For requests that the client would not make. */
  readonly token: string
  readonly email: string
}

export async function openShop({ env: given = {} }: { readonly env?: Env } = {}): Promise<Shop> {
  const dir = mkdtempSync(join(tmpdir(), 'waybill-shop-'))
  const database = await testDatabase()
  const redis = testRedis()
  const mailbox = await startMailbox({ port: 0 })
  const env = Object.freeze({
    ...process.env,
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    QUEUE_PREFIX: redis.prefix,
    SMTP_URL: mailbox.url,
    MEDIA_DIR: join(dir, 'media'),
    PORT: '0',
    GRACE_MS: '1000',
    ...given,
  })
  const single = await startSingle({ env, log: testLog })
  const url = `http://127.0.0.1:${single.port}`
  await ensureDevelopmentAccounts({ databaseUrl: database.url, redis, env, log: testLog })

  const signIn: Shop['signIn'] = async ({ email, password }) => {
    const { accessToken: token } = await createClient({ baseUrl: url }).sessions.login({ email, password })
    return { client: createClient({ baseUrl: url, token }), token, email }
  }
  let customers = 0
  const newCustomer = async () => {
    const email = `buyer-${++customers}@example.com`
    const password = 'a long enough password'
    await createClient({ baseUrl: url }).accounts.register({ email, password, name: 'Some Buyer' })
    return signIn({ email, password })
  }
  return {
    url,
    sql: database.sql(),
    mailbox,
    dir,
    signIn,
    newCustomers: async count => {
      const made: SignedIn[] = []
      // A few at a time: hashing passwords is slow on purpose, and requests have a time limit.
      while (made.length < count)
        made.push(
          ...(await Promise.all(Array.from({ length: Math.min(4, count - made.length) }, newCustomer))),
        )
      return made
    },
    merchant: () => signIn(developmentAccounts.merchant),
    close: async () => {
      await single.stop()
      await mailbox.stop()
      await database.drop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
