import postgres, { type Sql as PostgresSql, type PostgresType } from 'postgres'

/** A pool of connections to Postgres. int8 columns are numbers. */
export type Sql = PostgresSql

export interface ConnectOptions {
  /** The Postgres role that every connection works under; the login user must be a member of it. */
  readonly role?: string
  /** Connections at the most. */
  readonly max?: number
  /** Shown in pg_stat_activity. */
  readonly name?: string
  /**
   * How long a query may wait without a byte from Postgres, in milliseconds; 0 is for ever. Then its connection is given up: whatever
   * took the other end away may never say so. A statement that takes longer is lost with it.
   */
  readonly silenceMs?: number
}

/** A pool that survives a restart of Postgres: a query fails at once, the next one finds a new connection. */
export const connect = (
  url: string,
  { role, max = 8, name = 'waybill', silenceMs = 20_000 }: ConnectOptions = {},
): Sql =>
  postgres<Record<string, PostgresType>>(url, {
    max,
    connect_timeout: 5,
    silence_timeout: silenceMs / 1_000,
    idle_timeout: 0,
    backoff: attempt => Math.min(0.05 * 2 ** attempt, 1),
    types: { bigint: int8 },
    onnotice: () => {},
    connection: {
      application_name: name,
      // A process that stands still inside a transaction must not hold its locks for ever.
      idle_in_transaction_session_timeout: idleInTransactionMs,
      ...(role && { role, ...fewRowsByKey }),
    },
  })

/**
 * What a service asks touches a few rows by key. Postgres cannot know: it takes a batch for a hundred rows, and keeps
 * plans that it made while the tables were small, which then read them from end to end.
 */
const fewRowsByKey = { enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off' }

const idleInTransactionMs = 10_000

/** int8 columns hold money and counts below 2^53; one that does not is a bug worth stopping for. */
const int8 = {
  to: 20,
  from: [20],
  serialize: (value: number): string => String(value),
  parse: (text: string): number => {
    const value = Number(text)
    if (!Number.isSafeInteger(value)) throw new RangeError(`int8 ${text} does not fit a safe integer`)
    return value
  },
}

/**
 * True if Postgres could not be reached, went away, or could not do it now: the same may succeed later. What was asked
 * may or may not have happened.
 */
export function isAway(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && awayCodes.test(code)
}

/**
 * SQLSTATE classes 08 (connection), 25 (read-only), 40 (deadlock), 53 (resources), 55 (locked), 57 (cancelled, shutdown)
 * and 58 (system), and what postgres.js and the operating system say.
 */
const awayCodes =
  /^((08|25|40|53|55|57|58)...|CONNECTION_\w+|CONNECT_TIMEOUT|ECONN\w+|EPIPE|ETIMEDOUT|ENOENT)$/
