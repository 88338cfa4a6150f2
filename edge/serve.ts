import process from 'node:process'
import type { EdgeSettings } from './config.ts'
import type { OpenEdge } from './edge.ts'

export interface Listener {
  readonly port: number
  /** Takes no more connections; done when every request has its answer. */
  readonly stop: () => Promise<unknown>
}

type Fetch = (request: Request) => Response | Promise<Response>

/** The part of Deno that is used here. */
interface DenoServer {
  readonly addr: { readonly port: number }
  readonly shutdown: () => Promise<void>
}
interface DenoRuntime {
  readonly serve: (
    options: { port: number; hostname: string; onListen: () => void },
    fetch: Fetch,
  ) => DenoServer
}

/** Longer than the longest wait that a caller may ask for, seconds. */
const idleTimeoutSeconds = 60

/** Listens with the server of the runtime it finds itself in: Deno's, or Bun's. */
export function listen(fetch: Fetch, { HOST, PORT }: Pick<EdgeSettings, 'HOST' | 'PORT'>): Listener {
  const deno = (globalThis as { Deno?: DenoRuntime }).Deno
  if (deno) {
    const server = deno.serve({ port: PORT, hostname: HOST, onListen: () => {} }, fetch)
    return { port: server.addr.port, stop: () => server.shutdown() }
  }
  const server = Bun.serve({
    port: PORT,
    hostname: HOST,
    fetch,
    idleTimeout: idleTimeoutSeconds,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER, // each route has its own cap, with a problem to tell of it
    development: false,
  })
  return { port: server.port ?? PORT, stop: () => server.stop() }
}

/** Serves the figures on a port of their own, which is nobody's but the platform's; null if no port is set for them. */
export function listenForScrapes(
  scrape: () => Promise<Response>,
  { METRICS_HOST, METRICS_PORT }: Pick<EdgeSettings, 'METRICS_HOST' | 'METRICS_PORT'>,
): Listener | null {
  if (METRICS_PORT === undefined) return null
  const answer = (request: Request) =>
    new URL(request.url).pathname === '/metrics' ? scrape() : new Response(null, { status: 404 })
  return listen(answer, { HOST: METRICS_HOST, PORT: METRICS_PORT })
}

/** Serves until SIGTERM or SIGINT, then finishes what it has begun, within the grace time, and exits with 0. */
export async function runUntilSignal(edge: OpenEdge, settings: EdgeSettings): Promise<void> {
  const listener = listen(edge.fetch, settings)
  const scrapes = edge.scrape && listenForScrapes(edge.scrape, settings)
  edge.log.info({ ...(scrapes && { metricsPort: scrapes.port }), port: listener.port }, 'ready')
  await new Promise<void>(resolve => {
    process.once('SIGTERM', () => resolve())
    process.once('SIGINT', () => resolve())
  })
  edge.log.info('draining')
  edge.drain()
  await Promise.race([listener.stop(), sleep(settings.GRACE_MS)])
  await edge.close()
  process.exit(0)
}

const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
