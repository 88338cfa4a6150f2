import type { Mischief, Ordered, WebhookMishap } from './mischief.ts'
import { signatureHeader, signatureOf } from './signature.ts'

/** What a webhook says. */
export interface SimulatorEvent {
  readonly id: string
  readonly kind: string
  readonly chargeKey: string
  readonly reference: string
  /** ISO 8601. */
  readonly at: string
}

export interface WebhookOptions {
  /** Null: nobody is told. */
  readonly url: string | null
  readonly secret: string
  readonly mischief: Mischief
  readonly nowMs: () => number
  /** Called when an event needs no more attempts. */
  readonly settled: (event: SimulatorEvent) => void
}

/** Waits between attempts double from here to there. */
const firstWaitMs = 250
const longestWaitMs = 60_000
/** About half a day; then it counts as lost. */
const attemptsMax = 720
const attemptMaxMs = 5_000
const undeliveredMax = 500
const atOnceMax = 32
const hour = 3_600_000
/** Time for one to arrive before the next, where their order matters. */
const apartMs = 50

export type Webhooks = ReturnType<typeof createWebhooks>

/** Sends events until each is answered with 2xx, as providers do: in any order, and at times more than once. */
export function createWebhooks({ url, secret, mischief, nowMs, settled }: WebhookOptions) {
  const queue: (() => Promise<void>)[] = []
  const held: (() => void)[] = []
  const closing = new AbortController()
  /** What nobody has taken, the oldest first. */
  const undelivered = new Map<string, SimulatorEvent>()
  const counts = { sent: 0, delivered: 0, lost: 0 }
  let atWork = 0

  function enqueue(attempt: () => Promise<void>): void {
    queue.push(attempt)
    void work()
  }
  async function work(): Promise<void> {
    if (atWork >= atOnceMax) return
    atWork++
    for (let next = queue.shift(); next && !closing.signal.aborted; next = queue.shift()) await next()
    atWork--
  }

  async function attempt(event: SimulatorEvent, number: number, how: WebhookMishap | null): Promise<void> {
    const delivered = await post(event, how)
    if (delivered) undelivered.delete(event.id)
    if (delivered || number >= attemptsMax) {
      if (delivered) counts.delivered++
      else counts.lost++
      return settled(event)
    }
    wait(Math.min(firstWaitMs * 2 ** Math.min(number - 1, 20), longestWaitMs), () =>
      enqueue(() => attempt(event, number + 1, null)),
    )
  }
  async function post(event: SimulatorEvent, how: WebhookMishap | null): Promise<boolean> {
    counts.sent++
    const raw = JSON.stringify(event)
    const signature = signatureOf(
      raw,
      how === 'bad_signature' ? `not ${secret}` : secret,
      how === 'old_timestamp' ? nowMs() - hour : nowMs(),
    )
    try {
      const { ok, body } = await fetch(url as string, {
        method: 'POST',
        headers: { 'content-type': 'application/json', [signatureHeader]: signature },
        body: raw,
        redirect: 'manual',
        signal: AbortSignal.any([closing.signal, AbortSignal.timeout(attemptMaxMs)]),
      })
      await body?.cancel()
      return ok
    } catch {
      return false
    }
  }
  function wait(ms: number, then: () => void): void {
    setTimeout(() => !closing.signal.aborted && then(), ms).unref()
  }

  function send(event: SimulatorEvent, mishap: Ordered<WebhookMishap> | null): void {
    const first = () => enqueue(() => attempt(event, 1, mishap?.how ?? null))
    switch (mishap?.how) {
      case 'lose':
        counts.lost++
        settled(event)
        break
      case 'duplicate':
        first()
        first()
        break
      case 'delay':
        wait(mishap.delayMs, first)
        break
      case 'reorder': // whatever comes next overtakes it; if nothing does, it goes after its delay
        held.push(first)
        wait(mishap.delayMs, release)
        break
      default:
        first()
        wait(apartMs, release)
    }
  }
  function keepUndelivered(event: SimulatorEvent): void {
    undelivered.set(event.id, event)
    const [oldest] = undelivered.keys()
    if (undelivered.size > undeliveredMax && oldest !== undefined) undelivered.delete(oldest)
  }
  const release = () => {
    for (const [at, each] of held.splice(0).reverse().entries()) wait(at * apartMs, each)
  }

  return {
    counts: (): Readonly<typeof counts> => ({ ...counts }),
    tell: (event: SimulatorEvent): void => {
      if (url === null) {
        settled(event)
        return
      }
      keepUndelivered(event)
      send(event, mischief.nextWebhook())
    },
    /** What nobody has taken since then, the newest first: as much as it remembers. */
    undelivered: (since: Date): readonly SimulatorEvent[] =>
      [...undelivered.values()].filter(({ at }) => new Date(at) >= since).reverse(),
    close: (): void => closing.abort(),
  }
}
