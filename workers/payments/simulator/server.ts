import { createBook } from './book.ts'
import type { Charge } from './charge.ts'
import { openMemory } from './memory.ts'
import { createMischief } from './mischief.ts'
import { routes } from './routes.ts'
import { createWebhooks } from './webhooks.ts'

export interface SimulatorOptions {
  /** 0 takes any free one. */
  readonly port: number
  readonly host: string
  /** Where buyers reach it; where it listens, if null. */
  readonly publicUrl: string | null
  /** An SQLite file; null: it forgets everything when it ends. */
  readonly file: string | null
  /** Where events are sent; null: nowhere. */
  readonly webhookUrl: string | null
  readonly webhookSecret: string
  /** `news`: only what was not the answer to a request, or whose answer did not arrive. */
  readonly webhooks: 'all' | 'news'
  /** How long money stays set aside. */
  readonly authorizationMs: number
  /** How long "a while later" is. */
  readonly laterMs: number
  /** How late it answers when it is slow. */
  readonly slowMs: number
}

export const simulatorDefaults: SimulatorOptions = {
  port: 0,
  host: '127.0.0.1',
  publicUrl: null,
  file: null,
  webhookUrl: null,
  webhookSecret: 'development-only',
  webhooks: 'all',
  authorizationMs: 7 * 86_400_000,
  laterMs: 2_000,
  slowMs: 3_000,
}

export interface Simulator {
  readonly url: string
  /** Everything that it knows, for whoever runs it in the same process. */
  readonly charges: () => Iterable<Charge>
  /** Does not keep the process alive by itself. */
  readonly unref: () => void
  readonly stop: () => Promise<void>
}

/** Starts a payment provider without a bank behind it. It listens when this returns. */
export function startSimulator(given: Partial<SimulatorOptions> = {}): Simulator {
  const options = { ...simulatorDefaults, ...given }
  const { port, host, publicUrl, webhookUrl, webhookSecret, authorizationMs, laterMs, slowMs } = options
  const memory = openMemory(options.file)
  const mischief = createMischief()
  const webhooks = createWebhooks({
    url: webhookUrl,
    secret: webhookSecret,
    mischief,
    nowMs: Date.now,
    settled: memory.forgetEvent,
  })
  let url = ''
  let isHeard = false
  const heard = <T>(act: () => T): T => {
    isHeard = options.webhooks === 'news'
    try {
      return act()
    } finally {
      isHeard = false
    }
  }
  const book = createBook({
    newId,
    nowMs: Date.now,
    authorizationMs,
    laterMs,
    challengeUrl: reference => `${publicUrl ?? url}/challenges/${reference}`,
    changed: memory.keepCharge,
    tell: (kind, { key, reference }) => {
      if (webhookUrl === null || isHeard) return
      const event = { id: `evt_${newId()}`, kind, chargeKey: key, reference, at: new Date().toISOString() }
      memory.keepEvent(event)
      webhooks.tell(event)
    },
  })
  for (const charge of memory.charges()) book.recall(charge)
  for (const event of memory.events()) webhooks.tell(event)

  const server = Bun.serve({
    port,
    hostname: host,
    idleTimeout: 0,
    routes: routes({ book, mischief, webhooks, written: memory.written, heard, slowMs }),
    fetch: () => Response.json({ code: 'not_found' }, { status: 404 }),
  })
  url = server.url.origin
  return {
    url,
    charges: book.all,
    unref: () => server.unref(),
    stop: async () => {
      book.close()
      webhooks.close()
      await server.stop(true)
      memory.close()
    },
  }
}

const newId = () => crypto.randomUUID().replaceAll('-', '')
