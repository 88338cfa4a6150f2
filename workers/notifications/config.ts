import { Type } from '@sinclair/typebox'
import { type Env, readSettings, SettingError } from '../../queues/settings.ts'

const developmentSmtp = 'smtp://127.0.0.1:1025'

const Settings = Type.Object({
  SMTP_URL: Type.String({
    pattern: '^smtps?://.+',
    default: developmentSmtp,
    description: 'mail server, smtp://user:password@host:port or smtps://',
  }),
  MAIL_FROM: Type.String({
    pattern: '^[^\\r\\n]*@[^\\s@<>]+>?$',
    default: 'Waybill <orders@waybill.invalid>',
    description: 'sender of every mail, such as Shop <orders@shop.example>',
  }),
})

export interface NotificationsConfig {
  readonly smtpUrl: string
  readonly from: string
}

export function readConfig(env: Env): NotificationsConfig {
  const settings = readSettings(Settings, env)
  if (env.NODE_ENV === 'production' && settings.SMTP_URL === developmentSmtp) {
    throw new SettingError(
      'setting SMTP_URL: must be set in production (mail server, smtps://user:password@host)',
    )
  }
  return Object.freeze({ smtpUrl: settings.SMTP_URL, from: settings.MAIL_FROM })
}
