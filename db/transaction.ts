import type { ISql, PendingQuery, Row } from 'postgres'
import type { Sql } from './client.ts'

/** One transaction's connection. */
export type Tx = ISql

/**
 * Runs `effects` in a transaction that ends with what `last` asks for. As `sql.begin`, but `commit` travels with the
 * last statement, so that rows are locked for a trip less. If the last one fails, the commit undoes everything; it must not
 * be able to fail before it is sent, so its parameters are plain text.
 */
export async function transact<T>(
  sql: Sql,
  effects: (tx: Tx) => Promise<T>,
  last: (tx: Tx, value: T) => PendingQuery<Row[]>,
): Promise<T> {
  const connection = await sql.reserve()
  let ended = false
  try {
    await connection.unsafe('begin') // waited for: without it, each effect would be a transaction of its own
    const value = await effects(whileOpen(connection, () => !ended))
    await Promise.all([send(last(connection, value)), send(connection.unsafe('commit'))])
    return value
  } catch (error) {
    ended = true
    await send(connection.unsafe('rollback')).catch(() => {}) // a lost connection has done so itself
    throw error
  } finally {
    connection.release()
  }
}

/** The connection, for as long as the transaction lasts: an effect that is late must not write behind the rollback. */
function whileOpen(connection: Tx, isOpen: () => boolean): Tx {
  const open = () => {
    if (!isOpen()) throw new Error('the transaction has ended')
    return connection
  }
  return new Proxy(connection, {
    apply: (_, self, parts) => Reflect.apply(open() as never, self, parts),
    get: (_, name) => Reflect.get(open(), name),
  })
}

/** Puts it on the way behind what was sent before. In a transaction nobody has to wait for it: if it fails, so does what comes after. */
export function send(query: PendingQuery<Row[]>): Promise<unknown> {
  const sent = query.execute()
  sent.catch(() => {})
  return sent
}
