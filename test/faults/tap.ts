import { connect, createServer, type Socket } from 'node:net'
import { postgresWire } from './postgres-wire.ts'
import { redisWire } from './redis-wire.ts'

export interface Request {
  readonly bytes: Buffer
  /** Null for what is no step, such as a handshake. */
  readonly name: Step | null
  readonly expectsReply: boolean
  isJudged?: boolean
}

/** A piece of a reply; `isLast` ends the reply to one request. */
export interface Reply {
  readonly bytes: Buffer
  readonly isLast: boolean
}

/** How a protocol splits into what these bytes complete. */
export interface Protocol {
  readonly requests: (bytes: Buffer) => readonly Request[]
  readonly replies: (bytes: Buffer) => readonly Reply[]
}

/** One request of the process behind the tap, by the name that tells it apart: `postgres claim`, `redis moveToActive`. */
export type Step = string

/** What happens to a request: it passes; or the fault comes before the server sees it, or once the server has done it. */
export type Verdict = 'pass' | 'before' | 'after'

/** A connection that stands still. */
export interface Held {
  readonly cut: () => void
  /** The same, and the process is told of an error. */
  readonly reset: () => void
  /** Lets everything through that has waited. */
  readonly resume: () => void
}

/** Stands between a process and its server, sees every request, and can strike at any of them. */
export interface Tap {
  /** The server's address, through the tap. */
  readonly url: string
  /** Asked for every request, in order. */
  judge: (step: Step) => Verdict
  /** Called at the moment that `judge` chose. The connection stands still from then on. */
  strike: (held: Held) => void
  readonly cutAll: () => void
  /** New connections go to another server; those of this moment stay. */
  readonly leadTo: (port: number) => void
  /** Lets the connections of this moment fall silent, and later ones not. Answers how many. */
  readonly holdAll: () => number
  readonly close: () => void
}

/** Puts a tap before a Postgres or a Redis. */
export async function openTap(serverUrl: string): Promise<Tap> {
  const url = new URL(serverUrl)
  const isRedis = url.protocol.startsWith('redis')
  const target = { host: url.hostname, port: Number(url.port) }
  const connections = new Set<Spliced>()
  const server = createServer(socket => {
    const spliced = splice(socket, connect(target), isRedis ? redisWire() : postgresWire(), tap)
    connections.add(spliced)
    socket.once('close', () => connections.delete(spliced))
  })
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  url.port = String((server.address() as { port: number }).port)
  const cutAll = () => {
    for (const { cut } of connections) cut()
  }
  const tap: Tap = {
    url: url.href,
    judge: () => 'pass',
    strike: held => held.cut(),
    cutAll,
    leadTo: port => {
      target.port = port
    },
    holdAll: () => {
      for (const { hold } of connections) hold()
      return connections.size
    },
    close: () => {
      server.close()
      cutAll()
    },
  }
  return tap
}

interface Spliced {
  readonly cut: () => void
  readonly hold: () => void
}

/** Joins both ends, request by request. */
function splice(near: Socket, far: Socket, wire: Protocol, tap: Tap): Spliced {
  const requests: Request[] = []
  const replies: Reply[] = []
  let isHeld = false
  let strikeAfter: number | null = null
  let sent = 0
  let answered = 0
  const cut = () => {
    isHeld = true
    near.destroy()
    far.destroy()
  }
  const strike = () => {
    isHeld = true
    tap.strike({
      cut,
      reset: () => {
        near.resetAndDestroy()
        cut()
      },
      resume: () => {
        isHeld = false
        strikeAfter = null
        pass()
      },
    })
  }
  const send = ({ bytes, expectsReply }: Request) => {
    if (expectsReply) sent++
    far.write(bytes)
  }
  const answer = ({ bytes, isLast }: Reply) => {
    if (isLast) answered++
    near.write(bytes)
  }
  const pass = () => {
    while (!isHeld && replies.length > 0) {
      const reply = replies[0] as Reply
      if (reply.isLast && answered + 1 === strikeAfter) return strike()
      replies.shift()
      answer(reply)
    }
    while (!isHeld && strikeAfter === null && requests.length > 0) {
      const request = requests[0] as Request
      const verdict = request.name === null || request.isJudged ? 'pass' : tap.judge(request.name)
      request.isJudged = true
      if (verdict === 'before') return strike()
      requests.shift()
      send(request)
      if (verdict === 'after') strikeAfter = sent
    }
  }
  near.on('data', (bytes: Buffer) => {
    requests.push(...wire.requests(bytes))
    pass()
  })
  far.on('data', (bytes: Buffer) => {
    replies.push(...wire.replies(bytes))
    pass()
  })
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.setNoDelay(true)
    one.on('error', cut)
    one.on('close', () => other.end()) // after what was written: a server says why it goes
  }
  return {
    cut,
    hold: () => {
      isHeld = true
    },
  }
}
