import { Readable } from 'node:stream'
import { createTransport } from 'nodemailer'
import { type AskOptions, NotSent, type RestingAsk } from '../runtime/ask.ts'
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
/** A letter takes several turns; a server that needs longer than all of the above together has fallen silent. */
const timeoutMs = 25_000
const failuresInARow = 5

/** How the mail server is called: five failures in a row, and it is left alone for a while. */
export const smtp: AskOptions = { name: 'notifications.smtp', timeoutMs, failuresInARow }

export function createMailer({ smtpUrl, connections, from }: NotificationsConfig, ask: RestingAsk): Mailer {
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

  /** Throws what the server itself is to blame for, so that it counts. */
  async function attempt(letter: Letter, raw: Readable, signal: AbortSignal): Promise<Sent> {
    try {
      const envelope = { from: from.address, to: letter.to.address }
      await transport.sendMail({ envelope, raw, signal })
      return { kind: 'sent' }
    } catch (error) {
      const sent = classify(error, raw.readableDidRead)
      if (!isServerTrouble(sent)) return sent
      throw sent.kind === 'unsent' ? new NotSent('the mail server does not work', { cause: error }) : error
    }
  }

  return {
    send: async (letter, signal) => {
      const raw = Readable.from([composeMessage(letter, from)], { objectMode: false })
      try {
        const reply = await ask(inTime => attempt(letter, raw, inTime), signal)
        switch (reply.kind) {
          case 'answer':
            return reply.answer
          case 'unknown':
            return cutOff(raw, reply.cause)
          case 'not_sent':
            return reply.cause === null ? { kind: 'resting' } : { kind: 'unsent', cause: reply.cause.cause }
        }
      } catch (error) {
        if (signal.aborted) return cutOff(raw, error)
        throw error
      }
    },
    resting: ask.isResting,
    close: () => transport.close(),
  }
}

/** Nobody waits for it any more: a letter that was not read yet must not be read from now on. */
function cutOff(raw: Readable, cause: unknown): Sent {
  if (raw.readableDidRead) return { kind: 'unknown', cause }
  raw.destroy()
  return { kind: 'unsent', cause }
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
