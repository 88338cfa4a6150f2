import type { AddressInfo, Socket } from 'node:net'
import PostalMime from 'postal-mime'
import { SMTPServer } from 'smtp-server'

export interface ReceivedMail {
  readonly from: string
  readonly to: readonly string[]
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly messageId: string
  readonly toName: string
}

/** What the server does once it has the whole mail. */
export type Mood =
  | 'take'
  /** Takes the mail and hangs up before it says so. */
  | 'take-and-hang-up'
  | 'refuse-for-good'
  | 'refuse-for-now'
  | 'refuse-recipient'
  /** Before it was given anything. */
  | 'hang-up-at-recipient'

export interface MailServer {
  readonly url: string
  readonly port: number
  /** Every mail that arrived whole, whatever was answered. */
  readonly mails: readonly ReceivedMail[]
  mood: Mood
  /** Called with the whole mail in hand, before the answer. */
  onMail: () => void | Promise<void>
  readonly reset: () => void
  readonly stop: () => Promise<void>
}

const refusal = (responseCode: number) => Object.assign(new Error('no'), { responseCode })

/** A real SMTP server with a will of its own. */
export async function startMailServer(port = 0): Promise<MailServer> {
  const mails: ReceivedMail[] = []
  const sockets = new Set<Socket>()
  const hangUp = () => {
    for (const socket of sockets) socket.destroy()
  }
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    closeTimeout: 100,
    onRcptTo: (_address, _session, answer) => {
      if (state.mood === 'hang-up-at-recipient') hangUp()
      else answer(state.mood === 'refuse-recipient' ? refusal(550) : null)
    },
    onData: (stream, session, answer) => {
      const keep = async () => {
        const chunks: Buffer[] = []
        for await (const chunk of stream) chunks.push(chunk)
        mails.push(await toMail(Buffer.concat(chunks), session.envelope))
        await state.onMail()
        if (state.mood === 'take-and-hang-up') hangUp()
        else if (state.mood === 'refuse-for-good') answer(refusal(554))
        else if (state.mood === 'refuse-for-now') answer(refusal(451))
        else answer()
      }
      keep().catch(answer)
    },
  })
  smtp.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  smtp.on('error', () => {})
  await new Promise<void>(listening => smtp.listen(port, '127.0.0.1', listening))
  const address = smtp.server.address() as AddressInfo
  const state: MailServer = {
    url: `smtp://127.0.0.1:${address.port}`,
    port: address.port,
    mails,
    mood: 'take',
    onMail: () => {},
    reset: () => {
      mails.length = 0
      state.mood = 'take'
      state.onMail = () => {}
    },
    stop: () =>
      new Promise(stopped => {
        hangUp()
        smtp.close(() => stopped())
      }),
  }
  return state
}

async function toMail(
  raw: Buffer,
  { mailFrom, rcptTo }: { mailFrom: false | { address: string }; rcptTo: { address: string }[] },
): Promise<ReceivedMail> {
  const { subject = '', text = '', html = '', messageId = '', to } = await PostalMime.parse(raw)
  return {
    from: mailFrom ? mailFrom.address : '',
    to: rcptTo.map(({ address }) => address),
    subject,
    text,
    html,
    messageId,
    toName: to?.[0]?.name ?? '',
  }
}
