import { mkdirSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import PostalMime from 'postal-mime'
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server'
import { requirePort } from './ports.ts'

export type Mail = {
  /** The recipients of the envelope. */
  readonly to: readonly string[]
  readonly from: string
  readonly subject: string
  /** The plain text part, empty when there is none. */
  readonly text: string
  readonly at: Date
  /** The message as it came over the wire. */
  readonly raw: string
}

export type Mailbox = {
  /** For a mail client: `smtp://127.0.0.1:<port>`. */
  readonly url: string
  /** The newest 1,000 mails, oldest first. A mail is here before its sender gets the 250. */
  messages(): readonly Mail[]
  stop(): Promise<void>
}

export type MailboxOptions = {
  /** 0 takes any free port. */
  port: number
  /** Also keeps each mail there, as an .eml file. */
  dir?: string
}

const mailsMax = 1000
const mailBytesMax = 10 * 1024 * 1024

/** An SMTP server on 127.0.0.1 that delivers to nobody: mails end here and can be looked at. */
export async function startMailbox({ port, dir }: MailboxOptions): Promise<Mailbox> {
  if (port !== 0) await requirePort(port, 'the mailbox', 'choose another port')
  if (dir !== undefined) mkdirSync(dir, { recursive: true })
  const mails: Mail[] = []
  const keep = (mail: Mail) => {
    mails.push(mail)
    if (mails.length > mailsMax) mails.shift()
    if (dir !== undefined)
      writeFileSync(join(dir, `${mail.at.getTime()}-${crypto.randomUUID()}.eml`), mail.raw)
  }
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    size: mailBytesMax,
    closeTimeout: 1000,
    logger: false,
    onData: (stream, session, answer) => {
      const { mailFrom, rcptTo } = session.envelope
      receive(stream, { from: mailFrom ? mailFrom.address : '', to: rcptTo.map(({ address }) => address) })
        .then(keep)
        .then(() => answer(), answer)
    },
  })
  // A client that hangs up in the middle is its own problem.
  server.on('error', () => {})
  await new Promise<void>(done => server.listen(port, '127.0.0.1', done))
  const address = server.server.address() as AddressInfo
  return {
    url: `smtp://127.0.0.1:${address.port}`,
    messages: () => mails,
    stop: () => new Promise(done => server.close(() => done())),
  }
}

async function receive(
  stream: SMTPServerDataStream,
  envelope: { from: string; to: string[] },
): Promise<Mail> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) if (!stream.sizeExceeded) chunks.push(chunk)
  if (stream.sizeExceeded) throw Object.assign(new Error('Message too big'), { responseCode: 552 })
  const raw = Buffer.concat(chunks)
  const { subject = '', text = '' } = await PostalMime.parse(raw)
  return { ...envelope, subject, text, at: new Date(), raw: raw.toString() }
}
