import { Type } from '@sinclair/typebox'
import { type Env, readSettings } from '../../queues/settings.ts'

const Settings = Type.Object({
  PAYMENT_TIMEOUT_MS: Type.Integer({
    default: 10_000,
    minimum: 1,
    maximum: 25_000,
    description: 'how long the payment provider may take to answer, in milliseconds',
  }),
  PAYMENT_INQUIRIES_MS: Type.String({
    default: '10000,30000,120000,600000,3600000,21600000,86400000',
    pattern: '^[0-9]{1,9}(,[0-9]{1,9})*$',
    description: 'waits before a provider that did not answer is asked again, in milliseconds',
  }),
  PAYMENT_ACTION_MS: Type.Integer({
    default: 900_000,
    minimum: 1,
    maximum: 86_400_000,
    description: 'how long a buyer may take to confirm a charge at the bank, in milliseconds',
  }),
  PAYMENT_RECONCILE_MS: Type.Integer({
    default: 21_600_000,
    minimum: 1_000,
    maximum: 604_800_000,
    description:
      'how long a payment whose end is open is left alone before its provider is asked, in milliseconds',
  }),
})

export interface PaymentSettings {
  readonly timeoutMs: number
  readonly inquiriesMs: readonly number[]
  readonly actionMs: number
  readonly reconcileMs: number
}

export function readPaymentSettings(env: Env): PaymentSettings {
  const settings = readSettings(Settings, env)
  return {
    timeoutMs: settings.PAYMENT_TIMEOUT_MS,
    inquiriesMs: settings.PAYMENT_INQUIRIES_MS.split(',').map(Number),
    actionMs: settings.PAYMENT_ACTION_MS,
    reconcileMs: settings.PAYMENT_RECONCILE_MS,
  }
}
