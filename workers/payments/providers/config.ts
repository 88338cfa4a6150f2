import { Type } from '@sinclair/typebox'
import { type Env, readSettings, SettingError } from '../../../queues/settings.ts'
import type { SimulatorSettings } from './simulator.ts'
import type { StripeSettings } from './stripe.ts'

const developmentSecret = 'development-only'
const names = ['simulator', 'stripe'] as const
export type ProviderName = (typeof names)[number]

const Settings = Type.Object({
  PAYMENT_PROVIDERS: Type.String({
    default: '',
    pattern: `^((${names.join('|')})(,(${names.join('|')}))*)?$`,
    description: `payment providers in order of preference, with commas between them: ${names.join(', ')}`,
  }),
  SIMULATOR_URL: Type.String({
    default: 'http://127.0.0.1:4100',
    pattern: '^https?://[^/]+$',
    description: 'address of the payment simulator, without a path',
  }),
  SIMULATOR_WEBHOOK_SECRET: Type.String({
    default: developmentSecret,
    description: 'what the payment simulator signs its webhooks with',
  }),
  STRIPE_SECRET_KEY: Type.String({ default: '', description: "Stripe's secret key, sk_... or rk_..." }),
  STRIPE_WEBHOOK_SECRET: Type.String({
    default: '',
    description: "the signing secret of Stripe's webhook endpoint, whsec_...",
  }),
  STRIPE_RETURN_URL: Type.String({
    default: '',
    pattern: '^(https?://.+)?$',
    description: 'where buyers come back to after their bank asked them',
  }),
  NODE_ENV: Type.String({ default: 'development' }),
})

export interface ProviderSettings {
  /** Which providers there are, the preferred one first. */
  readonly names: readonly [ProviderName, ...ProviderName[]]
  readonly simulator: SimulatorSettings
  readonly stripe: StripeSettings
}

/** Throws a SettingError that names what is wrong or missing. Production has no provider but those that it names. */
export function readProviderSettings(env: Env): ProviderSettings {
  const settings = readSettings(Settings, env)
  const inProduction = settings.NODE_ENV === 'production'
  if (inProduction && settings.PAYMENT_PROVIDERS === '')
    throw new SettingError('setting PAYMENT_PROVIDERS: must be set in production, such as to stripe')
  const chosen = (settings.PAYMENT_PROVIDERS || 'simulator').split(',') as [ProviderName, ...ProviderName[]]
  if (new Set(chosen).size < chosen.length)
    throw new SettingError('setting PAYMENT_PROVIDERS: names a provider twice')
  if (chosen.includes('stripe'))
    for (const name of ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET', 'STRIPE_RETURN_URL'] as const)
      if (settings[name] === '')
        throw new SettingError(`setting ${name}: must be set for the provider stripe`)
  if (chosen.includes('simulator') && inProduction && settings.SIMULATOR_WEBHOOK_SECRET === developmentSecret)
    throw new SettingError(
      'setting SIMULATOR_WEBHOOK_SECRET: the development default is refused in production',
    )
  return {
    names: chosen,
    simulator: { url: settings.SIMULATOR_URL, webhookSecret: settings.SIMULATOR_WEBHOOK_SECRET },
    stripe: {
      secretKey: settings.STRIPE_SECRET_KEY,
      webhookSecret: settings.STRIPE_WEBHOOK_SECRET,
      returnUrl: settings.STRIPE_RETURN_URL,
    },
  }
}
