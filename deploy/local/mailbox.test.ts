import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import { startMailbox } from './mailbox.ts'

const dir = mkdtempSync(join(tmpdir(), 'waybill-mailbox-'))

afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('the mailbox', () => {
  test('keeps what was sent, decoded', async () => {
    const mailbox = await startMailbox({ port: 0, dir: join(dir, 'mails') })
    const transport = createTransport({ url: mailbox.url })
    await transport.sendMail({
      from: 'shop@example.com',
      to: 'kim@example.com',
      subject: 'Größe',
      text: 'Hello',
    })
    expect(mailbox.messages()).toMatchObject([
      { from: 'shop@example.com', to: ['kim@example.com'], subject: 'Größe', text: 'Hello\n' },
    ])
    const [file = ''] = readdirSync(join(dir, 'mails'))
    expect(readFileSync(join(dir, 'mails', file), 'utf8')).toBe(mailbox.messages()[0]?.raw ?? '')
    transport.close()
    await mailbox.stop()
  })
})
