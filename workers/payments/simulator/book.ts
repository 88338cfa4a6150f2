import { cardOf } from './cards.ts'
import {
  type Answer,
  type Charge,
  type ChargeBody,
  type Due,
  isDisputed,
  refundedMinor,
  viewOf,
} from './charge.ts'

/** The request itself is wrong: nothing happened, and a repeat does not help. */
export class Refused extends Error {
  readonly status: 400 | 404 | 409
  readonly code: string
  constructor(status: 400 | 404 | 409, code: string, detail: string) {
    super(detail)
    this.status = status
    this.code = code
  }
}

export interface BookOptions {
  readonly newId: () => string
  readonly nowMs: () => number
  /** How long money stays set aside. */
  readonly authorizationMs: number
  /** How long "a while later" is, for what is decided by itself. */
  readonly laterMs: number
  /** Where a buyer answers the challenge of a charge. */
  readonly challengeUrl: (reference: string) => string
  /** Called after every change, before it is answered. */
  readonly changed: (charge: Charge) => void
  /** Called for whatever a webhook tells of. */
  readonly tell: (kind: string, charge: Charge) => void
}

export type ChargeTerms = Pick<Charge, 'key' | 'amountMinor' | 'currency' | 'paymentMethod' | 'capture'>

export type Book = ReturnType<typeof createBook>

/** What a provider knows and does. The same key with the same terms has the same answer; with others it is refused. */
export function createBook(options: BookOptions) {
  const { newId, nowMs, authorizationMs, laterMs, challengeUrl, changed, tell } = options
  const charges = new Map<string, Charge>()
  const byReference = new Map<string, Charge>()
  const keyOwners = new Map<string, Charge>()
  let isClosed = false

  /** Carries it out once per key. */
  function once(key: string, terms: string, charge: Charge, act: () => Answer): Answer {
    const known = keyOwners.get(key)?.answers[key]
    if (known) {
      if (known.terms === terms) return known.answer
      throw new Refused(409, 'key_reused', `key ${key} was used on other terms`)
    }
    const answer = act()
    charge.answers[key] = { terms, answer }
    keyOwners.set(key, charge)
    changed(charge)
    return answer
  }

  const required = (key: string): Charge => {
    const charge = charges.get(key)
    if (charge) return charge
    throw new Refused(404, 'charge_unknown', `there is no charge ${key}`)
  }
  const withReference = (reference: string): Charge => {
    const charge = byReference.get(reference)
    if (charge) return charge
    throw new Refused(404, 'reference_unknown', `there is no ${reference}`)
  }

  function schedule(charge: Charge, what: Due['what'], afterMs: number, reference?: string): void {
    const due: Due = { atMs: nowMs() + afterMs, what, ...(reference !== undefined && { reference }) }
    charge.due.push(due)
    arm(charge, due)
  }
  function arm(charge: Charge, due: Due): void {
    const timer = setTimeout(() => !isClosed && happen(charge, due), Math.max(0, due.atMs - nowMs()))
    timer.unref()
  }
  function happen(charge: Charge, due: Due): void {
    const at = charge.due.indexOf(due)
    if (at === -1) return
    charge.due.splice(at, 1)
    switch (due.what) {
      case 'decide':
        if (charge.status === 'processing') decide(charge)
        break
      case 'dispute':
        if (refundedMinor(charge) < charge.capturedMinor) openDispute(charge, null, 'fraudulent')
        break
      case 'lapse':
        if (charge.status === 'authorized') letGo(charge)
        break
      case 'refund_succeeds':
        endRefund(charge, due.reference, 'succeeded')
        break
      case 'refund_fails':
        endRefund(charge, due.reference, 'failed')
        break
    }
    changed(charge)
  }

  /** The bank's last word: taken, set aside or declined. */
  function decide(charge: Charge): void {
    const { declineCode } = cardOf(charge.paymentMethod)
    if (declineCode === undefined) authorize(charge)
    else decline(charge, declineCode)
  }
  function authorize(charge: Charge): void {
    charge.authorizedMinor = charge.amountMinor
    if (charge.capture === 'automatic') {
      take(charge, charge.key, charge.amountMinor, true)
    } else {
      charge.status = 'authorized'
      charge.captureBefore = new Date(nowMs() + authorizationMs).toISOString()
      schedule(charge, 'lapse', authorizationMs)
      tell('charge.authorized', charge)
    }
  }
  function decline(charge: Charge, declineCode: string): void {
    charge.status = 'declined'
    charge.declineCode = declineCode
    tell('charge.declined', charge)
  }
  function take(charge: Charge, key: string, amountMinor: number, isFinal: boolean): void {
    charge.captures.push({ key, amountMinor })
    charge.capturedMinor += amountMinor
    if (isFinal || charge.capturedMinor === charge.authorizedMinor) {
      charge.status = 'captured'
      charge.captureBefore = null
    }
    tell('charge.captured', charge)
    if (cardOf(charge.paymentMethod).disputed && charge.captures.length === 1)
      schedule(charge, 'dispute', laterMs)
  }
  /** What was not captured is not captured any more. */
  function letGo(charge: Charge): void {
    charge.status = charge.capturedMinor > 0 ? 'captured' : 'voided'
    charge.captureBefore = null
    tell('charge.voided', charge)
  }

  function endRefund(charge: Charge, reference: string | undefined, status: 'succeeded' | 'failed'): void {
    const refund = charge.refunds.find(each => each.reference === reference)
    if (!refund || refund.status === status || refund.status === 'failed') return
    refund.status = status
    tell(`refund.${status}`, charge)
  }
  function openDispute(charge: Charge, amountMinor: number | null, reason: string): string {
    const leftMinor = charge.capturedMinor - refundedMinor(charge)
    const disputedMinor = amountMinor ?? leftMinor
    if (disputedMinor < 1 || disputedMinor > leftMinor || isDisputed(charge))
      throw new Refused(409, 'not_disputable', `${disputedMinor} of charge ${charge.key} cannot be disputed`)
    const reference = `dp_${newId()}`
    charge.disputes.push({ reference, amountMinor: disputedMinor, reason, status: 'needs_response' })
    byReference.set(reference, charge)
    tell('dispute.opened', charge)
    return reference
  }

  const chargeAnswer = (charge: Charge): Answer => ({
    reference: charge.reference,
    status: charge.status,
    declineCode: charge.declineCode,
    captureBefore: charge.captureBefore,
    url: urlOf(charge),
  })
  const urlOf = ({ status, reference }: Charge) =>
    status === 'action_required' ? challengeUrl(reference) : null

  return {
    all: (): Iterable<Charge> => charges.values(),
    find: (key: string): ChargeBody => {
      const charge = required(key)
      return { ...viewOf(charge), url: urlOf(charge) }
    },
    withReference,
    close: () => {
      isClosed = true
    },

    /** Takes what an earlier process kept. */
    recall: (charge: Charge): void => {
      charges.set(charge.key, charge)
      for (const key of Object.keys(charge.answers)) keyOwners.set(key, charge)
      for (const { reference } of [charge, ...charge.refunds, ...charge.disputes])
        byReference.set(reference, charge)
      for (const due of [...charge.due]) arm(charge, due)
    },

    charge: (terms: ChargeTerms): Answer => {
      const { key, amountMinor, currency, paymentMethod, capture } = terms
      const known = charges.get(key)
      if (known) {
        known.calls++
        changed(known)
      }
      const charge = known ?? emptyCharge(terms, `ch_${newId()}`)
      const words = `charge ${amountMinor} ${currency} ${paymentMethod} ${capture}`
      return once(key, words, charge, () => {
        charges.set(key, charge)
        byReference.set(charge.reference, charge)
        const { bank } = cardOf(paymentMethod)
        if (bank === 'challenges') {
          charge.status = 'action_required'
          tell('charge.action_required', charge)
        } else if (bank === 'hesitates') schedule(charge, 'decide', laterMs)
        else decide(charge)
        return chargeAnswer(charge)
      })
    },

    capture: (chargeKey: string, key: string, amountMinor: number, isFinal: boolean): Answer => {
      const charge = required(chargeKey)
      return once(key, `capture ${chargeKey} ${amountMinor} ${isFinal}`, charge, () => {
        if (charge.status !== 'authorized')
          throw new Refused(409, 'not_authorized', `charge ${chargeKey} is ${charge.status}`)
        if (charge.capturedMinor + amountMinor > charge.authorizedMinor)
          throw new Refused(
            409,
            'capture_exceeds_authorization',
            `charge ${chargeKey} has not that much left`,
          )
        take(charge, key, amountMinor, isFinal)
        return { status: 'captured' }
      })
    },

    void: (chargeKey: string, key: string): Answer => {
      const charge = required(chargeKey)
      return once(key, `void ${chargeKey}`, charge, () => {
        if (charge.status === 'captured')
          throw new Refused(409, 'already_captured', `charge ${chargeKey} was captured: refund it`)
        if (charge.status !== 'voided' && charge.status !== 'declined') letGo(charge)
        return { status: 'voided' }
      })
    },

    refund: (chargeKey: string, key: string, amountMinor: number): Answer => {
      const charge = required(chargeKey)
      return once(key, `refund ${chargeKey} ${amountMinor}`, charge, () => {
        if (isDisputed(charge)) throw new Refused(409, 'charge_disputed', `charge ${chargeKey} is disputed`)
        if (refundedMinor(charge) + amountMinor > charge.capturedMinor)
          throw new Refused(409, 'refund_exceeds_capture', `charge ${chargeKey} has not that much left`)
        const reference = `re_${newId()}`
        const { refunds } = cardOf(charge.paymentMethod)
        const status =
          refunds === 'fail'
            ? 'failed'
            : refunds === undefined || refunds === 'fail_after_success'
              ? 'succeeded'
              : 'pending'
        charge.refunds.push({ key, reference, amountMinor, status })
        byReference.set(reference, charge)
        tell(`refund.${status}`, charge)
        if (refunds === 'succeed_later') schedule(charge, 'refund_succeeds', laterMs, reference)
        if (refunds === 'fail_later' || refunds === 'fail_after_success')
          schedule(charge, 'refund_fails', laterMs, reference)
        return { reference, status, reason: status === 'failed' ? 'the bank refuses it' : null }
      })
    },

    /** The buyer's answer to a challenge; one that comes too late changes nothing. */
    answerChallenge: (reference: string, approves: boolean): Charge => {
      const charge = withReference(reference)
      if (charge.status !== 'action_required') return charge
      if (approves) decide(charge)
      else decline(charge, 'authentication_failed')
      changed(charge)
      return charge
    },

    dispute: (chargeKey: string, amountMinor: number | null, reason: string): Answer => {
      const charge = required(chargeKey)
      const reference = openDispute(charge, amountMinor, reason)
      changed(charge)
      return { reference }
    },
    moveDispute: (reference: string, status: 'under_review' | 'won' | 'lost'): Answer => {
      const charge = withReference(reference)
      const dispute = charge.disputes.find(each => each.reference === reference)
      if (!dispute || dispute.status === 'won' || dispute.status === 'lost')
        throw new Refused(409, 'dispute_closed', `${reference} is no open dispute`)
      dispute.status = status
      tell(status === 'under_review' ? 'dispute.under_review' : 'dispute.closed', charge)
      changed(charge)
      return { reference, status }
    },

    /** What happens by itself a while later happens now; false if nothing was due. */
    hurry: (chargeKey: string): boolean => {
      const charge = required(chargeKey)
      const due = [...charge.due]
      for (const each of due) happen(charge, each)
      return due.length > 0
    },
  }
}

const emptyCharge = (terms: ChargeTerms, reference: string): Charge => ({
  ...terms,
  reference,
  status: 'processing',
  declineCode: null,
  captureBefore: null,
  authorizedMinor: 0,
  capturedMinor: 0,
  captures: [],
  refunds: [],
  disputes: [],
  calls: 1,
  answers: {},
  due: [],
})
