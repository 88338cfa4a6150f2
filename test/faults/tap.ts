import { connect, createServer, type Socket } from 'node:net'
import { postgresWire } from './postgres-wire.ts'
import { redisWire } from './redis-wire.ts'

/** How a protocol splits into requests and replies. */
export interface Protocol {
  /** The whole requests that these bytes complete. `name` is null for what is no step, such as a handshake. */
  readonly requests: (
    bytes: Buffer,
  ) => readonly { readonly bytes: Buffer; readonly name: string | null; readonly expectsReply: boolean }[]
  /** The pieces of replies that these bytes complete; `isLast` ends the reply to one request. */
  readonly replies: (bytes: Buffer) => readonly { readonly bytes: Buffer; readonly isLast: boolean }[]
}

/** One request of the process behind the tap, by the name that tells it apart: `postgres claim`, `redis moveToActive`. */
export type Step = string

/** What happens to a request: it passes; or the fault comes before the server sees it, or once the server has done it. */
export type Verdict = 'pass' | 'before' | 'after'

/** Stands between a process and its server, sees every request, and can strike at any of them. */
export interface Tap {
  /** The server's address, through the tap. */
  readonly url: string
  /** Asked for every request, in order. */
  judge: (step: Step) => Verdict
  /** Called at the moment that `judge` chose. What was held is dropped; `cut` is what the process sees of it. */
  strike: (cut: () => void) => void
  readonly cutAll: () => void
  readonly close: () => void
}

/** Puts a tap before a Postgres or a Redis. */
export async function openTap(serverUrl: string): Promise<Tap> {
  const url = new URL(serverUrl)
  const isRedis = url.protocol.startsWith('redis')
  const target = { host: url.hostname, port: Number(url.port) }
  const connections = new Set<() => void>()
  const server = createServer(socket => {
    const cut = splice(socket, connect(target), isRedis ? redisWire() : postgresWire(), tap)
    connections.add(cut)
    socket.once('close', () => connections.delete(cut))
  })
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  url.port = String((server.address() as { port: number }).port)
  const cutAll = () => {
    for (const cut of connections) cut()
  }
  const tap: Tap = {
    url: url.href,
    judge: () => 'pass',
    strike: cut => cut(),
    cutAll,
    close: () => {
      server.close()
      cutAll()
    },
  }
  return tap
}

/** Joins both ends, request by request. Answers how to cut them. */
function splice(near: Socket, far: Socket, wire: Protocol, tap: Tap): () => void {
  let cutAt: number | null = null
  let isCut = false
  let sent = 0
  let answered = 0
  const cut = () => {
    isCut = true
    near.destroy()
    far.destroy()
  }
  const strike = () => {
    isCut = true
    tap.strike(cut)
  }
  near.on('data', (bytes: Buffer) => {
    for (const { bytes: request, name, expectsReply } of wire.requests(bytes)) {
      if (isCut || cutAt !== null) return
      const verdict = name === null ? 'pass' : tap.judge(name)
      if (verdict === 'before') return strike()
      if (expectsReply) sent++
      if (verdict === 'after') cutAt = sent
      far.write(request)
    }
  })
  far.on('data', (bytes: Buffer) => {
    if (isCut) return
    for (const reply of wire.replies(bytes)) {
      if (reply.isLast && ++answered === cutAt) return strike()
      near.write(reply.bytes)
    }
  })
  for (const socket of [near, far]) {
    socket.setNoDelay(true)
    socket.on('error', cut)
    socket.on('close', cut)
  }
  return cut
}
