import { Database } from 'bun:sqlite'
import type { Charge } from './charge.ts'
import type { SimulatorEvent } from './webhooks.ts'

export interface Memory {
  readonly charges: () => Iterable<Charge>
  /** Events that nobody has answered yet. */
  readonly events: () => Iterable<SimulatorEvent>
  readonly keepCharge: (charge: Charge) => void
  readonly keepEvent: (event: SimulatorEvent) => void
  readonly forgetEvent: (event: SimulatorEvent) => void
  /** Resolves when all that was kept before is written. */
  readonly written: () => Promise<void>
  readonly close: () => void
}

const nothing: Memory = {
  charges: () => [],
  events: () => [],
  keepCharge: () => {},
  keepEvent: () => {},
  forgetEvent: () => {},
  written: () => Promise.resolve(),
  close: () => {},
}

/**
 * Keeps charges in an SQLite file, and nothing if `file` is null. What is kept in one turn of the event loop is one
 * transaction, which is written before any of it is answered: a process that is killed forgets nothing. The log is
 * flushed to the disk at checkpoints only: a power loss may forget the newest transactions, and tears none.
 */
export function openMemory(file: string | null): Memory {
  if (file === null) return nothing
  const db = new Database(file, { create: true, strict: true })
  db.run('pragma journal_mode = wal')
  db.run('pragma synchronous = normal')
  db.run('create table if not exists charges (key text primary key, document text not null) without rowid')
  db.run('create table if not exists events (id text primary key, document text not null) without rowid')
  const putCharge = db.prepare('insert or replace into charges values (?, ?)')
  const putEvent = db.prepare('insert or replace into events values (?, ?)')
  const dropEvent = db.prepare('delete from events where id = ?')

  let charges = new Set<Charge>()
  let events = new Map<string, SimulatorEvent | null>()
  let writing: Promise<void> | null = null
  const write = db.transaction(() => {
    for (const charge of charges) putCharge.run(charge.key, JSON.stringify(charge))
    for (const [id, event] of events)
      if (event) putEvent.run(id, JSON.stringify(event))
      else dropEvent.run(id)
    charges = new Set()
    events = new Map()
  })
  const soon = (): Promise<void> => {
    writing ??= new Promise((resolve, reject) =>
      setImmediate(() => {
        writing = null
        try {
          resolve(write())
        } catch (error) {
          reject(error)
        }
      }),
    )
    return writing
  }
  const documents = function* <T>(table: 'charges' | 'events'): Iterable<T> {
    for (const { document } of db.query<{ document: string }, []>(`select document from ${table}`).iterate())
      yield JSON.parse(document)
  }
  return {
    charges: () => documents('charges'),
    events: () => documents('events'),
    keepCharge: charge => {
      charges.add(charge)
      void soon()
    },
    keepEvent: event => {
      events.set(event.id, event)
      void soon()
    },
    forgetEvent: ({ id }) => {
      events.set(id, null)
      void soon()
    },
    written: () => writing ?? Promise.resolve(),
    close: () => {
      write()
      db.close()
    },
  }
}
