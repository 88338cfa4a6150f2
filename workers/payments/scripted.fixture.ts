import {
  BadSignature,
  type ChargeAnswer,
  type ChargeRequest,
  type ChargeView,
  type DisputeView,
  type Provider,
  type ProviderEvent,
  ProviderRefusal,
  type RefundView,
} from './provider.ts'

type Call = 'charge' | 'capture' | 'void' | 'refund' | 'find' | 'missed'
/** How a call goes wrong: nothing arrives, or it arrives and the answer does not. */
export type Fault = 'before' | 'after'

interface Kept {
  request: ChargeRequest
  answer: ChargeAnswer
  captures: { key: string; amountMinor: number }[]
  refunds: (RefundView & { status: RefundView['status'] })[]
  disputes: DisputeView[]
}

/** A provider in memory that does all that the port can say, and goes wrong as the test says. Its cards say how it answers. */
export function scriptedProvider({ severalCaptures = true } = {}) {
  const charges = new Map<string, Kept>()
  const missed: ProviderEvent[] = []
  const faults: { call: Call; fault: Fault }[] = []
  let chance: ((call: Call) => Fault | null) | null = null
  let refundsAre: 'refunded' | 'pending' | 'failed' = 'refunded'

  const kept = (key: string): Kept => {
    const found = charges.get(key)
    if (!found) throw new ProviderRefusal(`there is no charge ${key}`)
    return found
  }
  /** Runs it, or not, and answers, or not. */
  const serve = async <T>(call: Call, act: () => T): Promise<T> => {
    const at = faults.findIndex(each => each.call === call)
    const fault = at >= 0 ? faults.splice(at, 1)[0]?.fault : chance?.(call)
    if (fault === 'before') throw new Error('connection reset')
    const answer = act()
    if (fault === 'after') throw new Error('connection reset')
    return structuredClone(answer)
  }
  const takenOf = ({ captures }: Kept) => captures.reduce((sum, each) => sum + each.amountMinor, 0)
  const backOf = ({ refunds }: Kept) =>
    refunds.reduce((sum, each) => sum + (each.status === 'failed' ? 0 : each.amountMinor), 0)

  const provider: Provider = {
    name: 'scripted',
    severalCaptures,
    takes: () => true,
    charge: request =>
      serve('charge', () => {
        const known = charges.get(request.key)
        if (known) return known.answer
        const answer = answerTo(request)
        const captures =
          answer.kind === 'captured' ? [{ key: request.key, amountMinor: request.amountMinor }] : []
        charges.set(request.key, { request, answer, captures, refunds: [], disputes: [] })
        return answer
      }),
    capture: ({ key, charge, amountMinor, isFinal }) =>
      serve('capture', () => {
        const found = kept(charge.key)
        if (found.captures.some(each => each.key === key)) return { kind: 'captured' }
        if (found.answer.kind !== 'authorized' || takenOf(found) + amountMinor > found.request.amountMinor)
          throw new ProviderRefusal(`${amountMinor} of charge ${charge.key} cannot be captured`)
        found.captures.push({ key, amountMinor })
        if (isFinal || !severalCaptures || takenOf(found) === found.request.amountMinor)
          found.answer = { kind: 'captured', reference: charge.key }
        return { kind: 'captured' }
      }),
    void: ({ charge }) =>
      serve('void', () => {
        const found = kept(charge.key)
        const { kind } = found.answer
        if (
          kind !== 'voided' &&
          ((kind !== 'authorized' && kind !== 'action_required') || takenOf(found) > 0)
        )
          throw new ProviderRefusal(`charge ${charge.key} cannot be voided`)
        found.answer = { kind: 'voided', reference: charge.key }
        return { kind: 'voided' }
      }),
    refund: ({ key, charge, amountMinor }) =>
      serve('refund', () => {
        const found = kept(charge.key)
        const known = found.refunds.find(each => each.key === key)
        if (!known && refundsAre === 'failed') return { kind: 'failed', reason: 'the card is closed' }
        if (!known && backOf(found) + amountMinor > takenOf(found))
          throw new ProviderRefusal(`${amountMinor} of charge ${charge.key} cannot be refunded`)
        const status = refundsAre === 'pending' ? 'pending' : 'succeeded'
        const refund: RefundView = known ?? { key, reference: `re_${key}`, amountMinor, status }
        if (!known) found.refunds.push(refund)
        return { kind: refund.status === 'succeeded' ? 'refunded' : 'pending', reference: refund.reference }
      }),
    find: charge =>
      serve('find', () => {
        const found = charges.get(charge.key)
        if (!found) return null
        const setAside = found.answer.kind === 'authorized' || found.captures.length > 0
        const view: ChargeView = {
          ...found,
          authorizedMinor: setAside ? found.request.amountMinor : 0,
          capturedMinor: takenOf(found),
        }
        return view
      }),
    missedEvents: () => serve('missed', () => missed),
    readEvent: async (raw, headers, now) => {
      if (headers.get('x-scripted-signature') !== 'good') throw new BadSignature('not signed')
      return { chargeKey: null, reference: null, ...JSON.parse(new TextDecoder().decode(raw)), at: now }
    },
  }
  return {
    provider,
    /** The next such call goes wrong. */
    fail: (call: Call, fault: Fault) => faults.push({ call, fault }),
    /** Each call goes wrong as it says, from now on; null: none. */
    failBy: (says: typeof chance) => {
      chance = says
    },
    /** New refunds are answered so. */
    answerRefunds: (as: typeof refundsAre) => {
      refundsAre = as
    },
    /** Tells this by a webhook that nobody gets. */
    miss: (event: ProviderEvent) => missed.push(event),
    /** What the provider has, to be looked at and changed by the test. */
    kept: (paymentId: string) => kept(`charge:${paymentId}`),
    takenFrom: (paymentId: string) => takenOf(kept(`charge:${paymentId}`)),
    backTo: (paymentId: string) => backOf(kept(`charge:${paymentId}`)),
  }
}
export type Scripted = ReturnType<typeof scriptedProvider>

const captureWindowMs = 7 * 86_400_000

function answerTo({ key, paymentMethod, capture }: ChargeRequest): ChargeAnswer {
  if (paymentMethod === 'pm_card_declined')
    return { kind: 'declined', reference: key, declineCode: 'card_declined' }
  if (paymentMethod === 'pm_card_3ds')
    return { kind: 'action_required', reference: key, url: `https://bank.example/${key}` }
  if (paymentMethod === 'pm_card_slow') return { kind: 'processing', reference: key }
  return capture === 'manual'
    ? { kind: 'authorized', reference: key, captureBefore: new Date(Date.now() + captureWindowMs) }
    : { kind: 'captured', reference: key }
}
