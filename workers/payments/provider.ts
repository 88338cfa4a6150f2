import { RemoteRefusal } from '../runtime/ask.ts'

/**
 * A payment provider. Every call that moves money carries our key, the same in every repeat: asked twice under one key,
 * it acts once. A call that throws `NotSent` did nothing, one that throws `ProviderRefusal` never will; whatever else
 * it throws leaves open what happened.
 */
export interface Provider {
  /** Kept on the payment, which stays with its provider for ever: `simulator`, `stripe`. */
  readonly name: string
  /** Whether it can take what it set aside in several parts; if not, its one capture lets the rest go. */
  readonly severalCaptures: boolean
  /** Whether it takes charges in this ISO 4217 currency. */
  takes(currency: string): boolean
  /** Takes the money or sets it aside, or declines, or sends the buyer to the bank. */
  charge(request: ChargeRequest, signal: AbortSignal): Promise<ChargeAnswer>
  /** Takes what was set aside, or a part of it; with the last part the rest is let go. */
  capture(request: CaptureRequest, signal: AbortSignal): Promise<CaptureAnswer>
  /** Lets go of everything that was set aside, or keeps the buyer from confirming the charge. */
  void(request: VoidRequest, signal: AbortSignal): Promise<VoidAnswer>
  /** Gives money of a charge back. */
  refund(request: RefundRequest, signal: AbortSignal): Promise<RefundAnswer>
  /** Everything it knows about a charge; null if it never heard of it. */
  find(charge: ChargeRef, signal: AbortSignal): Promise<ChargeView | null>
  /** What its webhook says, which is a hint and no more: the charge is asked for. Throws `BadSignature`. */
  readEvent(raw: Uint8Array, headers: Headers, now: Date): Promise<ProviderEvent>
  /** Events since then that no webhook of its could deliver, the newest first: it need not know more than a few hundred. */
  missedEvents(since: Date, signal: AbortSignal): Promise<readonly ProviderEvent[]>
}

/** A charge, by our key and, once it is known, by the provider's own id. */
export interface ChargeRef {
  readonly key: string
  readonly reference: string | null
}

export interface ChargeRequest {
  readonly key: string
  /** Minor units as ISO 4217 has them, whatever the provider counts in. */
  readonly amountMinor: number
  readonly currency: string
  readonly paymentMethod: string
  readonly capture: 'automatic' | 'manual'
}
/** How a charge stands at the provider. */
export type ChargeAnswer =
  | { readonly kind: 'captured'; readonly reference: string }
  /** Set aside; the provider lets it go at `captureBefore`. */
  | { readonly kind: 'authorized'; readonly reference: string; readonly captureBefore: Date }
  /** The buyer has to confirm it at `url`. */
  | { readonly kind: 'action_required'; readonly reference: string; readonly url: string }
  /** The provider does not know yet itself. */
  | { readonly kind: 'processing'; readonly reference: string }
  | { readonly kind: 'declined'; readonly reference: string | null; readonly declineCode: string }
  /** Nothing was taken, and nothing more will be. */
  | { readonly kind: 'voided'; readonly reference: string }

export interface CaptureRequest {
  readonly key: string
  readonly charge: ChargeRef
  readonly amountMinor: number
  readonly currency: string
  /** Nothing follows: what is left is let go. */
  readonly isFinal: boolean
}
export interface CaptureAnswer {
  readonly kind: 'captured'
}

export interface VoidRequest {
  readonly key: string
  readonly charge: ChargeRef
}
export interface VoidAnswer {
  readonly kind: 'voided'
}

export interface RefundRequest {
  readonly key: string
  readonly charge: ChargeRef
  readonly amountMinor: number
  readonly currency: string
}
export type RefundAnswer =
  /** `pending`: accepted, and it may still fail. */
  | { readonly kind: 'refunded' | 'pending'; readonly reference: string }
  | { readonly kind: 'failed'; readonly reason: string }

/** All that a provider knows about one charge; amounts in minor units of the charge's currency. */
export interface ChargeView {
  readonly answer: ChargeAnswer
  /** What was set aside at first, captured or not; zero while or if it was not. */
  readonly authorizedMinor: number
  readonly capturedMinor: number
  /** By our keys; an automatic charge has one capture, with the key of the charge. */
  readonly captures: readonly { readonly key: string; readonly amountMinor: number }[]
  /** By our keys; null: made by somebody else, such as a person at the provider's own console. */
  readonly refunds: readonly RefundView[]
  readonly disputes: readonly DisputeView[]
}

export interface RefundView {
  readonly key: string | null
  readonly reference: string
  readonly amountMinor: number
  readonly status: 'pending' | 'succeeded' | 'failed'
}

export interface DisputeView {
  readonly reference: string
  readonly amountMinor: number
  readonly status: 'needs_response' | 'under_review' | 'won' | 'lost'
  readonly reason: string
}

/** What a webhook says. */
export interface ProviderEvent {
  /** The provider's own id of it: the same in every delivery. */
  readonly id: string
  /** In the provider's words, such as `charge.dispute.created`. */
  readonly kind: string
  /** Our key of the charge that it is about, or null if it does not say. */
  readonly chargeKey: string | null
  /** The provider's id of that charge, or null if it is about no charge. */
  readonly reference: string | null
  readonly at: Date
}

/** The provider says that the request itself is wrong: a bug of ours, which no repeat can mend. */
export class ProviderRefusal extends RemoteRefusal {
  override readonly name = 'ProviderRefusal'
}

/** A webhook that the provider did not sign, or signed too long ago. */
export class BadSignature extends Error {
  override readonly name = 'BadSignature'
}
