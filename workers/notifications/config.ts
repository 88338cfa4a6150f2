import { Type } from '@sinclair/typebox'
import { type Env, readSettings, SettingError } from '../../queues/settings.ts'
import type { Mailbox } from './message.ts'

/** `name@host` or `Name <name@host>`. */
const mailbox = /^(?:([^<>\r\n]*?) *<)?([^\s<>@]+@[^\s<>@]+?)>?$/

const developmentSmtp = 'smtp://127.0.0.1:1025'

const Settings = Type.Object({
  SMTP_URL: Type.String({
    pattern: '^smtps?://.+',
    default: developmentSmtp,
    description: 'mail server, smtp://user:password@host:port or smtps://',
  }),
  SMTP_CONNECTIONS: Type.Integer({
    minimum: 1,
    maximum: 100,
    default: 10,
    description: 'connections to the mail server at the most',
  }),
  MAIL_FROM: Type.String({
    pattern: mailbox.source,
    default: 'Waybill <orders@waybill.invalid>',
    description: 'sender of every mail, such as Shop <orders@shop.example>',
  }),
})

export interface NotificationsConfig {
  readonly smtpUrl: string
  readonly connections: number
  readonly from: Mailbox
}

export function readConfig(env: Env): NotificationsConfig {
  const settings = readSettings(Settings, env)
  if (env.NODE_ENV === 'production' && settings.SMTP_URL === developmentSmtp) {
    throw new SettingError(
      'setting SMTP_URL: must be set in production (mail server, smtps://user:password@host)',
    )
  }
  return Object.freeze({
    smtpUrl: settings.SMTP_URL,
    connections: settings.SMTP_CONNECTIONS,
    from: toMailbox(settings.MAIL_FROM),
  })
}

function toMailbox(text: string): Mailbox {
  const [, name = '', address = ''] = mailbox.exec(text) ?? []
  return { name, address }
}
