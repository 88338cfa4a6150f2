import { Type } from '@sinclair/typebox'
import { type Env, readSettings, SettingError } from '../../queues/settings.ts'

const developmentSecret = 'development-only'

const Settings = Type.Object({
  DATABASE_URL: Type.String({ minLength: 1, description: 'address of Postgres' }),
  REDIS_URL: Type.String({ minLength: 1, description: 'address of Redis' }),
  QUEUE_PREFIX: Type.String({ default: 'waybill', description: 'before every key in Redis' }),
  PORT: Type.Integer({
    default: 4000,
    minimum: 0,
    maximum: 65535,
    description: 'port of the reads; 0 takes a free one',
  }),
  HOST: Type.String({ default: '::', description: 'address to listen on' }),
  INTERNAL_SECRET: Type.String({
    default: developmentSecret,
    description: 'shared by the edge and the services',
  }),
  GRACE_MS: Type.Integer({
    default: 20_000,
    minimum: 0,
    description: 'time to finish after SIGTERM, in milliseconds',
  }),
  INVARIANTS_EVERY_MS: Type.Integer({
    default: 60_000,
    minimum: 0,
    description:
      'how often all processes together look at the invariants for metrics, in milliseconds; 0 is never',
  }),
  LOG_LEVEL: Type.String({ default: 'info', description: 'trace, debug, info, warn, error or silent' }),
  NODE_ENV: Type.String({ default: 'development' }),
})

export type RuntimeSettings = ReturnType<typeof readRuntimeSettings>

/** The settings that every worker process shares. Throws a SettingError that names the first wrong one. */
export function readRuntimeSettings(env: Env) {
  const settings = readSettings(Settings, env)
  if (settings.NODE_ENV === 'production' && settings.INTERNAL_SECRET === developmentSecret) {
    throw new SettingError('setting INTERNAL_SECRET: the development default is refused in production')
  }
  return settings
}
