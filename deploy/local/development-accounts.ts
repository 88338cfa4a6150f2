import type { Logger } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import { connect } from '../../db/client.ts'
import { createEnqueuer } from '../../queues/enqueue.ts'
import type { Enqueued } from '../../queues/journal.ts'
import type { RedisSettings } from '../../queues/redis.ts'
import type { Env } from '../../queues/settings.ts'
import { createPasswords } from '../../workers/accounts/passwords.ts'
import { ensureAccount } from '../../workers/accounts/register.ts'
import { createAsk } from '../../workers/runtime/ask.ts'

/** Known to everybody who has read this file: for development only. */
export const developmentAccounts = {
  customer: login('customer', 'Kim Customer'),
  merchant: login('merchant', 'Sam Merchant'),
  operator: login('operator', 'Alex Operator'),
} as const

function login<const Role extends 'customer' | 'merchant' | 'operator'>(role: Role, name: string) {
  return { email: `${role}@example.com`, password: `${role}-password`, name, roles: [role] }
}

export interface Databases {
  readonly databaseUrl: string
  readonly redis: RedisSettings
  readonly env: Env
  readonly log: Logger
}

/** Opens the accounts that are missing, as the accounts service does. Safe to run again. */
export async function ensureDevelopmentAccounts({ databaseUrl, redis, env, log }: Databases): Promise<void> {
  const sql = connect(databaseUrl, { role: 'waybill_accounts', max: 2, name: 'waybill-development' })
  const enqueuer = createEnqueuer(redis, log)
  const written: Enqueued[] = []
  const passwords = createPasswords()
  const deps = {
    sql,
    redis,
    env,
    log,
    newId: () => uuidv7(),
    now: () => new Date(),
    ask: createAsk,
    enqueue: (commands: readonly Enqueued[]) => void written.push(...commands),
  }
  try {
    await Promise.all(
      Object.values(developmentAccounts).map(account => ensureAccount(deps, account, passwords)),
    )
    await enqueuer.addNow(written)
  } finally {
    await Promise.all([enqueuer.close(), sql.end({ timeout: 1 })])
  }
}
