import { Readable } from 'node:stream'
import { BrokenCircuitError, ConsecutiveBreaker, circuitBreaker, handleType } from 'cockatiel'
import { createTransport } from 'nodemailer'
import type { NotificationsConfig } from './config.ts'
import { composeMessage, type Letter } from './message.ts'

/** How sending ended. */
export type Sent =
  | { readonly kind: 'sent' }
  /** The server said no for good, to this recipient or this mail. */
  | { readonly kind: 'refused'; readonly answer: string }
  /** It certainly did not go out. */
  | { readonly kind: 'unsent'; readonly cause: unknown }
  /** It was handed over, and the answer never came. */
  | { readonly kind: 'unknown'; readonly cause: unknown }
  /** The server failed several times in a row and is left alone for a while: not called. */
  | { readonly kind: 'resting' }

export interface Mailer {
  readonly send: (letter: Letter, signal: AbortSignal) => Promise<Sent>
  /** True while the server is left alone. */
  readonly resting: () => boolean
  readonly close: () => void
}

const timeouts = {
  dnsTimeout: 5_000,
  connectionTimeout: 5_000,
  greetingTimeout: 5_000,
  socketTimeout: 10_000,
}
const failuresInARow = 5
export const restMs = 5_000

/** The server itself did not work, whatever the letter. */
class ServerTrouble extends Error {
  readonly sent: Sent
  constructor(sent: Sent) {
    super('the mail server does not work')
    this.sent = sent
  }
}

export function createMailer({ smtpUrl, connections, from }: NotificationsConfig): Mailer {
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: connections,
    maxMessages: 1_000,
    maxRequeues: 0, // whether a letter is tried again is decided by its command
    ...timeouts,
  })
  // As it is, nodemailer reads a letter ahead; straight from its source it is read only after the server has said
  // "go on" to DATA, and until then nothing can have gone out.
  transport.use('stream', (mail, done) => {
    const { raw } = mail.data
    if (raw instanceof Readable)
      mail.message.createReadStream = () => raw as ReturnType<typeof mail.message.createReadStream>
    done()
  })
  const breaker = circuitBreaker(handleType(ServerTrouble), {
    halfOpenAfter: restMs,
    breaker: new ConsecutiveBreaker(failuresInARow),
  })
  // The breaker itself stays open until it is called, so it cannot be asked.
  let restsUntil = 0
  breaker.onBreak(() => {
    restsUntil = performance.now() + restMs
  })

  /** Throws ServerTrouble for the breaker to count. */
  async function attempt(letter: Letter, signal: AbortSignal): Promise<Sent> {
    const raw = Readable.from([composeMessage(letter, from)], { objectMode: false })
    try {
      const envelope = { from: from.address, to: letter.to.address }
      await transport.sendMail({ envelope, raw, signal })
      return { kind: 'sent' }
    } catch (error) {
      const sent = classify(error, raw.readableDidRead)
      if (!signal.aborted && isServerTrouble(sent)) throw new ServerTrouble(sent)
      return sent
    }
  }

  return {
    send: async (letter, signal) => {
      try {
        return await breaker.execute(() => attempt(letter, signal))
      } catch (error) {
        if (error instanceof ServerTrouble) return error.sent
        if (error instanceof BrokenCircuitError) return { kind: 'resting' }
        throw error
      }
    },
    resting: () => performance.now() < restsUntil,
    close: () => transport.close(),
  }
}

interface SmtpError {
  readonly code?: unknown
  readonly command?: unknown
  readonly responseCode?: unknown
  readonly response?: unknown
}

/** `handedOver`: the letter was read, so that the server may have taken it. */
export function classify(error: unknown, handedOver: boolean): Exclude<Sent, { kind: 'sent' | 'resting' }> {
  const { responseCode, response } = error as SmtpError
  if (typeof responseCode === 'number' && responseCode >= 400 && isAboutLetter(error))
    return responseCode >= 500
      ? { kind: 'refused', answer: String(response) }
      : { kind: 'unsent', cause: error }
  return { kind: handedOver ? 'unknown' : 'unsent', cause: error }
}

/** The server spoke of this letter or its recipient, rather than of itself. */
function isAboutLetter(error: unknown): boolean {
  const { code, command } = error as SmtpError
  return code === 'EMESSAGE' || (code === 'EENVELOPE' && command === 'RCPT TO')
}

const isServerTrouble = (sent: Sent): boolean =>
  sent.kind === 'unknown' || (sent.kind === 'unsent' && !isAboutLetter(sent.cause))
