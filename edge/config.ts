import { type Static, Type } from '@sinclair/typebox'
import { type Env, readSettings, SettingError } from '../queues/settings.ts'

const developmentSecret = 'development-only'
const ServiceUrl = (service: string) =>
  Type.Optional(
    Type.String({
      pattern: '^https?://',
      description: `Address of ${service}, if it is another than WORKERS_URL.`,
    }),
  )

const Settings = Type.Object({
  HOST: Type.String({ default: '127.0.0.1', description: 'Address to listen on; `::` for all.' }),
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 3000,
    description: 'TCP port; 0 takes a free one.',
  }),
  METRICS_PORT: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 65_535, description: 'TCP port of GET /metrics; none unless set.' }),
  ),
  METRICS_HOST: Type.String({ default: '127.0.0.1', description: 'Address to listen on for /metrics.' }),
  PUBLIC_URL: Type.String({
    pattern: '^https?://[^/]+$',
    default: 'http://localhost:3000',
    description: 'Address that callers use, without a path; problem types and OpenAPI point there.',
  }),
  DATABASE_URL: Type.String({ pattern: '^postgres(ql)?://', description: 'Postgres, postgres://...' }),
  DATABASE_POOL: Type.Integer({
    minimum: 1,
    maximum: 100,
    default: 6,
    description: 'Connections to Postgres.',
  }),
  REDIS_URL: Type.String({ pattern: '^rediss?://', description: 'Redis, redis://...' }),
  QUEUE_PREFIX: Type.String({ default: 'waybill', description: 'Before every key in Redis.' }),
  WORKERS_URL: Type.String({
    pattern: '^https?://',
    default: 'http://127.0.0.1:4000',
    description: 'Address of the services that have none of their own.',
  }),
  ACCOUNTS_URL: ServiceUrl('accounts'),
  CATALOG_URL: ServiceUrl('catalog'),
  ORDERS_URL: ServiceUrl('orders'),
  PAYMENTS_URL: ServiceUrl('payments'),
  SHIPPING_URL: ServiceUrl('shipping'),
  MEDIA_URL: ServiceUrl('media'),
  INTERNAL_SECRET: Type.String({
    minLength: 10,
    default: developmentSecret,
    description: 'Shared by edge and workers; 32 random characters or more.',
  }),
  TOKEN_ISSUER: Type.String({ minLength: 1, default: 'waybill', description: '`iss` of the tokens taken.' }),
  TOKEN_AUDIENCE: Type.String({ minLength: 1, default: 'waybill-api', description: '`aud` of them.' }),
  CORS_ORIGINS: Type.String({
    default: '',
    description: 'Web origins that browsers may call from, separated by commas; none by default.',
  }),
  BODY_MAX_BYTES: Type.Integer({ minimum: 1024, default: 65_536, description: 'Longest JSON body, bytes.' }),
  UPLOAD_MAX_BYTES: Type.Integer({ minimum: 1024, default: 2 ** 30, description: 'Longest upload, bytes.' }),
  UPSTREAM_TIMEOUT_MS: Type.Integer({
    minimum: 10,
    default: 2_000,
    description: 'How long a service may take to begin its answer, milliseconds.',
  }),
  GRACE_MS: Type.Integer({
    minimum: 0,
    default: 20_000,
    description: 'Time to finish requests after SIGTERM, milliseconds.',
  }),
  LOG_LEVEL: Type.String({ default: 'info', description: 'trace, debug, info, warn, error or silent.' }),
  NODE_ENV: Type.String({ default: 'development', description: '`production` refuses development secrets.' }),
})
export type EdgeSettings = Readonly<Static<typeof Settings>>

/** The edge's settings. Throws a SettingError that names the first wrong one. */
export function readEdgeSettings(env: Env): EdgeSettings {
  const settings = readSettings(Settings, env)
  if (settings.NODE_ENV === 'production' && settings.INTERNAL_SECRET === developmentSecret)
    throw new SettingError('setting INTERNAL_SECRET: the development default is refused in production')
  return settings
}
