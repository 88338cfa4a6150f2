import { Type } from '@sinclair/typebox'
import { type Env, readSettings, SettingError } from '../../queues/settings.ts'

const developmentSecret = 'waybill-development-secret-not-for-production'

const Settings = Type.Object({
  ACCOUNTS_SECRET: Type.String({
    minLength: 32,
    default: developmentSecret,
    description: 'at least 32 characters; encrypts the signing keys at rest',
  }),
  TOKEN_ISSUER: Type.String({ minLength: 1, default: 'waybill', description: '`iss` of access tokens' }),
  TOKEN_AUDIENCE: Type.String({
    minLength: 1,
    default: 'waybill-api',
    description: '`aud` of access tokens',
  }),
})

export interface AccountsConfig {
  readonly secret: string
  readonly issuer: string
  readonly audience: string
}

export function readConfig(env: Env): AccountsConfig {
  const settings = readSettings(Settings, env)
  if (env.NODE_ENV === 'production' && settings.ACCOUNTS_SECRET === developmentSecret) {
    throw new SettingError(
      'setting ACCOUNTS_SECRET: must be set in production (at least 32 random characters)',
    )
  }
  return Object.freeze({
    secret: settings.ACCOUNTS_SECRET,
    issuer: settings.TOKEN_ISSUER,
    audience: settings.TOKEN_AUDIENCE,
  })
}
