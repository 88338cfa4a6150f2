import { v7 as newId } from 'uuid'
import type { Enqueued } from '../../queues/journal.ts'
import { type TestDatabase, testDatabase, testLog, testRedis } from '../../test/harness.ts'
import { createAsk } from '../runtime/ask.ts'
import { withErrors } from '../runtime/http.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import { createAccess } from './access.ts'
import { createPasswords, type Passwords } from './passwords.ts'
import { routes } from './routes.ts'

/** The service on a database of its own, with a clock that stands still until it is moved. */
export interface TestAccounts {
  readonly database: TestDatabase
  readonly deps: ServiceDeps
  readonly passwords: Passwords
  /** Every hash that was verified since the last look: 'account' or 'nobody'. */
  readonly verified: ('account' | 'nobody')[]
  /** Passwords that were hashed. */
  readonly hashed: string[]
  readonly enqueued: Enqueued[]
  readonly clock: { now: Date }
  readonly post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Answer>
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Answer>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

export async function testAccounts(limits?: { atOnce: number; waitingMax: number }): Promise<TestAccounts> {
  const database = await testDatabase()
  const clock = { now: new Date() }
  const enqueued: Enqueued[] = []
  const verified: ('account' | 'nobody')[] = []
  const hashed: string[] = []
  const real = createPasswords(limits)
  const passwords: Passwords = {
    hash: password => {
      hashed.push(password)
      return real.hash(password)
    },
    verify: (password, hash) => {
      verified.push(hash === null ? 'nobody' : 'account')
      return real.verify(password, hash)
    },
  }
  const deps: ServiceDeps = {
    sql: database.sql('accounts'),
    redis: testRedis(),
    env: {},
    log: testLog,
    newId: () => newId(),
    now: () => clock.now,
    ask: createAsk,
    enqueue: commands => enqueued.push(...commands),
  }
  const app = withErrors(routes(deps, createAccess(deps, passwords)), testLog)
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await app.handle(new Request(`http://accounts${path}`, init))
    const body = (await response.json()) as Record<string, unknown>
    return { status: response.status, headers: response.headers, body }
  }
  return {
    database,
    deps,
    passwords,
    verified,
    hashed,
    enqueued,
    clock,
    post: (path, body, headers = {}) =>
      ask(path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      }),
    get: (path, headers = {}) => ask(path, { headers }),
  }
}
