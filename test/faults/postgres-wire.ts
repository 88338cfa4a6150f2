import type { Protocol } from './tap.ts'

/**
 * Postgres' protocol 3.0 as postgres.js speaks it: a request ends with Sync or is a simple Query. What the edge asks is
 * named for the edge, `edge accept`: the clock of every process accepts commands too.
 */
export function postgresWire(): Protocol {
  const statements = new Map<string, string>()
  let fromClient: Buffer = Buffer.alloc(0)
  let fromServer: Buffer = Buffer.alloc(0)
  let begun = false
  let isReady = false
  let who = 'postgres'
  let parts: Buffer[] = []
  let sql = ''
  let executes = false

  function* requests(bytes: Buffer) {
    fromClient = Buffer.concat([fromClient, bytes])
    while (fromClient.length >= 5) {
      const typed = begun ? 1 : 0
      const length = fromClient.readInt32BE(typed) + typed
      if (fromClient.length < length) return
      const message = fromClient.subarray(0, length)
      fromClient = fromClient.subarray(length)
      if (!begun && stringsOf(message).includes('waybill-edge')) who = 'edge'
      begun = true
      if (!isReady) {
        yield { bytes: message, name: null, expectsReply: false }
        continue
      }
      parts.push(message)
      const type = String.fromCharCode(message[0] ?? 0)
      if (type === 'P') {
        const [statement = '', text = ''] = stringsOf(message)
        statements.set(statement, text)
        sql = text
      } else if (type === 'B') sql = statements.get(stringsOf(message)[1] ?? '') ?? ''
      else if (type === 'E') executes = true
      else if (type === 'Q') {
        sql = stringsOf(message)[0] ?? ''
        executes = true
      }
      if (!'SQHX'.includes(type)) continue
      yield {
        bytes: Buffer.concat(parts),
        name: executes ? `${who} ${nameOf(sql)}` : null,
        expectsReply: type === 'S' || type === 'Q',
      }
      parts = []
      executes = false
    }
  }

  function* replies(bytes: Buffer) {
    fromServer = Buffer.concat([fromServer, bytes])
    while (fromServer.length >= 5) {
      const length = fromServer.readInt32BE(1) + 1
      if (fromServer.length < length) return
      const message = fromServer.subarray(0, length)
      fromServer = fromServer.subarray(length)
      const isEnd = message[0] === readyForQuery
      yield { bytes: message, isLast: isEnd && isReady }
      isReady ||= isEnd
    }
  }
  return { requests: bytes => [...requests(bytes)], replies: bytes => [...replies(bytes)] }
}

const readyForQuery = 'Z'.charCodeAt(0)

const stringsOf = (message: Buffer): string[] => message.toString('latin1', 5).split('\0')

/** The function of the journal or of operations that it calls, else its first words: `claim`, `begin`, `insert into payments.effects`. */
function nameOf(sql: string): string {
  const called = /(?:journal|ops)\.(\w+)\(/.exec(sql)?.[1]
  if (called) return called
  if (/pg_catalog/.test(sql)) return 'types'
  return sql
    .trim()
    .split(/[\s(]+/)
    .slice(0, 3)
    .join(' ')
    .toLowerCase()
}
