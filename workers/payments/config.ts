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
})

export interface PaymentSettings {
  readonly timeoutMs: number
  readonly inquiriesMs: readonly number[]
}

export function readPaymentSettings(env: Env): PaymentSettings {
  const { PAYMENT_TIMEOUT_MS, PAYMENT_INQUIRIES_MS } = readSettings(Settings, env)
  return { timeoutMs: PAYMENT_TIMEOUT_MS, inquiriesMs: PAYMENT_INQUIRIES_MS.split(',').map(Number) }
}
