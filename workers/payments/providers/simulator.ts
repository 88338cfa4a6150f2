import { NotSent } from '../../runtime/ask.ts'
import {
  BadSignature,
  type ChargeAnswer,
  type ChargeRef,
  type ChargeView,
  type Provider,
  type ProviderEvent,
  ProviderRefusal,
  type RefundAnswer,
} from '../provider.ts'
import type { ChargeBody, Refund } from '../simulator/charge.ts'
import { faultOf, signatureHeader } from '../simulator/signature.ts'
import type { SimulatorEvent } from '../simulator/webhooks.ts'

export interface SimulatorSettings {
  /** Where the simulator listens. */
  readonly url: string
  readonly webhookSecret: string
}

/** The simulator over HTTP: every call is one request. */
export function createSimulator({ url, webhookSecret }: SimulatorSettings): Provider {
  const post = <Answer>(path: string, key: string, body: object, signal: AbortSignal): Promise<Answer> =>
    send(`${url}${path}`, { method: 'POST', headers: headersOf(key), body: JSON.stringify(body), signal })
  return {
    name: 'simulator',
    severalCaptures: true,
    takes: () => true,

    charge: async ({ key, ...terms }, signal) =>
      toChargeAnswer(await post<ChargeState>('/charges', key, terms, signal)),
    capture: async ({ key, charge, amountMinor, isFinal }, signal) => {
      await post(`${pathOf(charge)}/captures`, key, { amountMinor, isFinal }, signal)
      return { kind: 'captured' }
    },
    void: async ({ key, charge }, signal) => {
      await post(`${pathOf(charge)}/void`, key, {}, signal)
      return { kind: 'voided' }
    },
    refund: async ({ key, charge, amountMinor }, signal) =>
      toRefundAnswer(await post(`${pathOf(charge)}/refunds`, key, { amountMinor }, signal)),

    find: async (charge, signal) => {
      const known = await send<ChargeBody | null>(`${url}${pathOf(charge)}`, { signal }, { absent: null })
      return known === null ? null : toView(known)
    },

    readEvent: async (raw, headers, now) => {
      const fault = faultOf(raw, headers.get(signatureHeader), webhookSecret, now.getTime())
      if (fault !== null) throw new BadSignature(fault)
      return toEvent(JSON.parse(new TextDecoder().decode(raw)))
    },
    missedEvents: async (since, signal) => {
      const path = `/events/undelivered?since=${since.toISOString()}`
      const { events } = await send<{ readonly events: readonly SimulatorEvent[] }>(`${url}${path}`, {
        signal,
      })
      return events.map(toEvent)
    },
  }
}

const headersOf = (key: string) => ({ 'content-type': 'application/json', 'idempotency-key': key })
const pathOf = ({ key }: ChargeRef) => `/charges/${encodeURIComponent(key)}`

/** Before anything is sent, these end a request. */
const notSentCodes = ['ECONNREFUSED', 'ENOTFOUND', 'ConnectionRefused', 'FailedToOpenSocket']

async function send<Answer>(
  url: string,
  init: RequestInit,
  unknown?: { readonly absent: Answer },
): Promise<Answer> {
  const response = await fetch(url, init).catch(error => {
    if (notSentCodes.includes(error?.code)) throw new NotSent('nobody listens at the simulator')
    throw error
  })
  if (response.ok) return (await response.json()) as Answer
  if (response.status === 404 && unknown) {
    await response.body?.cancel()
    return unknown.absent
  }
  const text = await response.text()
  if (response.status >= 400 && response.status < 500)
    throw new ProviderRefusal(`the simulator says: ${text}`)
  throw new Error(`the simulator answered with ${response.status}`)
}

type ChargeState = Pick<ChargeBody, 'reference' | 'status' | 'declineCode' | 'captureBefore'> & {
  readonly url: string | null
}

function toChargeAnswer({ reference, status, declineCode, captureBefore, url }: ChargeState): ChargeAnswer {
  switch (status) {
    case 'captured':
    case 'processing':
    case 'voided':
      return { kind: status, reference }
    case 'authorized':
      return { kind: status, reference, captureBefore: new Date(captureBefore ?? Number.NaN) }
    case 'action_required':
      return { kind: status, reference, url: url ?? '' }
    case 'declined':
      return { kind: status, reference, declineCode: declineCode ?? 'declined' }
  }
}

const toRefundAnswer = ({
  reference,
  status,
  reason,
}: Pick<Refund, 'reference' | 'status'> & { readonly reason: string | null }): RefundAnswer => {
  if (status === 'failed') return { kind: 'failed', reason: reason ?? 'failed' }
  return { kind: status === 'succeeded' ? 'refunded' : 'pending', reference }
}

const toView = (charge: ChargeBody): ChargeView => {
  const { authorizedMinor, capturedMinor, captures, refunds, disputes } = charge
  return {
    answer: toChargeAnswer(charge),
    authorizedMinor,
    capturedMinor,
    captures,
    refunds,
    disputes,
  }
}

const toEvent = ({ id, kind, chargeKey, reference, at }: SimulatorEvent): ProviderEvent => ({
  id,
  kind,
  chargeKey,
  reference,
  at: new Date(at),
})
