import { Type } from '@sinclair/typebox'
import { type Env, readSettings, SettingError } from '../../queues/settings.ts'

const developmentSecret = 'development-only'

const Settings = Type.Object({
  CARRIERS: Type.String({
    default: 'manual',
    pattern: '^(manual|simulator)(,(manual|simulator))*$',
    description: 'who carries parcels, of manual and simulator, separated by commas',
  }),
  CARRIER_TIMEOUT_MS: Type.Integer({
    default: 5_000,
    minimum: 1,
    maximum: 15_000,
    description: 'how long a carrier may take to answer, in milliseconds',
  }),
  CARRIER_INQUIRIES_MS: Type.String({
    default: '10000,30000,120000,600000,3600000,21600000,86400000',
    pattern: '^[0-9]{1,9}(,[0-9]{1,9})*$',
    description: 'waits before a carrier that did not answer is asked for a label again, in milliseconds',
  }),
  CARRIER_SIMULATOR_URL: Type.String({
    default: 'http://127.0.0.1:4200',
    pattern: '^https?://[^/]+$',
    description: 'address of the simulated carrier',
  }),
  CARRIER_SIMULATOR_SECRET: Type.String({
    default: developmentSecret,
    minLength: 10,
    description: 'signs the webhooks of the simulated carrier',
  }),
})

export interface SimulatorSettings {
  readonly url: string
  readonly secret: string
}
export interface ShippingSettings {
  readonly carriers: readonly ('manual' | 'simulator')[]
  readonly timeoutMs: number
  readonly inquiriesMs: readonly number[]
  readonly simulator: SimulatorSettings
}

/** Throws a SettingError that names the first wrong one. */
export function readShippingSettings(env: Env): ShippingSettings {
  const settings = readSettings(Settings, env)
  const carriers = [...new Set(settings.CARRIERS.split(','))] as ShippingSettings['carriers'][number][]
  const secret = settings.CARRIER_SIMULATOR_SECRET
  if (env.NODE_ENV === 'production' && carriers.includes('simulator') && secret === developmentSecret)
    throw new SettingError(
      'setting CARRIER_SIMULATOR_SECRET: the development default is refused in production',
    )
  return Object.freeze({
    carriers,
    timeoutMs: settings.CARRIER_TIMEOUT_MS,
    inquiriesMs: settings.CARRIER_INQUIRIES_MS.split(',').map(Number),
    simulator: { url: settings.CARRIER_SIMULATOR_URL, secret },
  })
}
