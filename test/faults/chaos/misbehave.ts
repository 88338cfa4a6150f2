import { callMishaps, webhookMishaps } from '../../../workers/payments/simulator/mischief.ts'
import type { Shop } from './shop.ts'

/** How a remote side goes wrong while a story is played. */
export interface Misbehaviour {
  /** As it is written after `--only`. */
  readonly title: string
  readonly whose: 'provider' | 'carrier'
  readonly begin: (shop: Shop) => Promise<void>
  readonly end: (shop: Shop) => Promise<void>
}

/** Answers of the provider that go wrong one after the other. */
const callsMax = 2
const webhooksMax = 20

const ofProvider = (title: string, order: object): Misbehaviour => ({
  title: `provider ${title}`,
  whose: 'provider',
  begin: ({ provider }) => send(`${provider.url}/misbehave`, 'POST', order),
  end: ({ provider }) => send(`${provider.url}/misbehave`, 'DELETE'),
})

/** The first call goes wrong; the next ones do not. */
const ofCarrier = (call: string, behaviour: string): Misbehaviour => ({
  title: `carrier ${call} ${behaviour}`,
  whose: 'carrier',
  begin: ({ carrier }) => send(`${carrier.url}/control/next`, 'POST', { call, behaviour, times: 1 }),
  end: async () => {},
})

const ofCarrierHooks = (how: string): Misbehaviour => ({
  title: `carrier webhooks ${how}`,
  whose: 'carrier',
  begin: async shop => {
    shop.carrierHooks = how
  },
  end: async shop => {
    shop.carrierHooks = 'once'
  },
})

const carrierBehaviours = ['slow', 'silent_before', 'silent_after', 'error_before', 'error_after']

export const misbehaviours: readonly Misbehaviour[] = [
  ...callMishaps.map(how => ofProvider(how, { operation: 'any', how, times: callsMax })),
  ...webhookMishaps.map(how =>
    ofProvider(`webhooks ${how}`, { operation: 'webhook', how, times: webhooksMax, delayMs: 400 }),
  ),
  ...carrierBehaviours.map(behaviour => ofCarrier('label', behaviour)),
  ...carrierBehaviours.map(behaviour => ofCarrier('track', behaviour)),
  ...['twice', 'reversed', 'late', 'none'].map(ofCarrierHooks),
]

async function send(url: string, method: string, body?: object): Promise<void> {
  const answer = await fetch(url, { method, ...(body && { body: JSON.stringify(body) }) })
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`)
}
