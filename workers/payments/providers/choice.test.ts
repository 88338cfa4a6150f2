import { describe, expect, test } from 'bun:test'
import { createAsk } from '../../runtime/ask.ts'
import type { Provider } from '../provider.ts'
import { type Desk, type Desks, deskFor, openDesks } from './choice.ts'
import { readProviderSettings } from './config.ts'
import { createSimulator } from './simulator.ts'

const stripe = {
  STRIPE_SECRET_KEY: 'sk_test',
  STRIPE_WEBHOOK_SECRET: 'whsec',
  STRIPE_RETURN_URL: 'https://shop.example',
}

describe('the settings', () => {
  test('a laptop has the simulator; production has what it names, and nothing by itself', () => {
    expect(readProviderSettings({}).names).toEqual(['simulator'])
    const NODE_ENV = 'production'
    expect(() => readProviderSettings({ NODE_ENV })).toThrow('setting PAYMENT_PROVIDERS')
    expect(readProviderSettings({ NODE_ENV, PAYMENT_PROVIDERS: 'stripe', ...stripe }).names).toEqual([
      'stripe',
    ])
  })
  test('production may name the simulator, with a secret of its own', () => {
    const env = { NODE_ENV: 'production', PAYMENT_PROVIDERS: 'simulator' }
    expect(() => readProviderSettings(env)).toThrow('setting SIMULATOR_WEBHOOK_SECRET')
    expect(readProviderSettings({ ...env, SIMULATOR_WEBHOOK_SECRET: 'own' }).names).toEqual(['simulator'])
  })
  for (const missing of Object.keys(stripe))
    test(`Stripe without ${missing} stops the start with a line that names it`, () => {
      const env = { PAYMENT_PROVIDERS: 'simulator,stripe', ...stripe, [missing]: '' }
      expect(() => readProviderSettings(env)).toThrow(`setting ${missing}: must be set`)
      expect(() => readProviderSettings({ ...env, PAYMENT_PROVIDERS: 'simulator' })).not.toThrow()
    })
  test('a provider that nobody knows, and one named twice, are refused', () => {
    for (const PAYMENT_PROVIDERS of ['paypal', 'stripe,', 'stripe, simulator', 'simulator,simulator'])
      expect(() => readProviderSettings({ PAYMENT_PROVIDERS, ...stripe })).toThrow(
        'setting PAYMENT_PROVIDERS',
      )
  })
})

describe('a new payment', () => {
  const desk = (name: string, takes: (currency: string) => boolean = () => true): Desk => {
    const provider: Provider = {
      ...createSimulator({ url: 'http://unused', webhookSecret: '' }),
      name,
      takes,
    }
    return { provider, ask: createAsk({ name, timeoutMs: 1_000, failuresInARow: 2 }) }
  }
  const fail = async ({ ask }: Desk) => {
    for (let n = 0; n < 2; n++)
      await ask(() => Promise.reject(new Error('500')), new AbortController().signal)
  }
  const [first, second, third] = [
    desk('first', currency => currency !== 'KWD'),
    desk('second'),
    desk('third'),
  ]
  const desks: Desks = [first, second, third]
  const chosen = (currency = 'EUR') => deskFor(desks, currency).provider.name

  test('goes to the preferred one that takes its currency and does not rest', async () => {
    expect([chosen(), chosen('KWD')]).toEqual(['first', 'second'])
    await fail(first)
    expect([chosen(), chosen('KWD')]).toEqual(['second', 'second'])
    await fail(second)
    expect(chosen('KWD')).toBe('third')
    await fail(third)
    expect([chosen(), chosen('KWD')]).toEqual(['first', 'second']) // all rest: the preferred one takes it later
  })
  test('goes to the preferred one, to be declined there, if nobody takes its currency', () => {
    const nobody: Desks = [desk('one', () => false), desk('other', () => false)]
    expect(deskFor(nobody, 'EUR').provider.name).toBe('one')
  })
  test('each provider has a breaker of its own, under its own name', async () => {
    const names: string[] = []
    const opened = await openDesks({
      env: { PAYMENT_PROVIDERS: 'stripe,simulator', ...stripe },
      timeoutMs: 1_000,
      ask: options => {
        names.push(options.name)
        return createAsk(options)
      },
    })
    expect(names).toEqual(['payments.stripe', 'payments.simulator'])
    expect(deskFor(opened, 'EUR').provider.name).toBe('stripe')
    expect(deskFor(opened, 'KWD').provider.name).toBe('simulator')
  })
})
