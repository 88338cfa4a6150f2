import type { ISql, PendingQuery, Row } from 'postgres'
import type { Sql } from './client.ts'

/** One transaction's connection. */
export type Tx = ISql

/**
 * Runs `effects` in a transaction that ends with what `last` asks for. As `sql.begin`, in two trips less: `begin`
 * travels with the first statement, and `commit` with the last. If the last one fails, the commit undoes everything.
 */
export async function transact<T>(
  sql: Sql,
  effects: (tx: Tx) => Promise<T>,
  last: (tx: Tx, value: T) => PendingQuery<Row[]>,
): Promise<T> {
  const connection = await sql.reserve()
  try {
    const begun = send(connection.unsafe('begin'))
    const value = await effects(connection)
    await Promise.all([begun, send(last(connection, value)), send(connection.unsafe('commit'))])
    return value
  } catch (error) {
    await send(connection.unsafe('rollback')).catch(() => {}) // a lost connection has done so itself
    throw error
  } finally {
    connection.release()
  }
}

/** Puts it on the way behind what was sent before. Whoever does not wait for the answer misses no failure: what comes after fails too. */
export function send(query: PendingQuery<Row[]>): Promise<unknown> {
  const sent = query.execute()
  sent.catch(() => {})
  return sent
}
