import { RemoteRefusal } from '../runtime/ask.ts'

/** A payment provider. Every call carries our key: asked twice under one key, it acts once. */
export interface Provider {
  /** Takes the money at once, or declines. */
  charge(request: ChargeRequest, signal: AbortSignal): Promise<ChargeAnswer>
  /** What became of the charge with this key; null if the provider never heard of it. */
  findCharge(key: string, signal: AbortSignal): Promise<ChargeAnswer | null>
  /** Gives money of a charge back. */
  refund(request: RefundRequest, signal: AbortSignal): Promise<RefundAnswer>
  /** What became of the refund with this key; null if the provider never heard of it. */
  findRefund(key: string, signal: AbortSignal): Promise<RefundAnswer | null>
}

export interface ChargeRequest {
  readonly key: string
  readonly amountMinor: number
  readonly currency: string
  readonly paymentMethod: string
}
export type ChargeAnswer =
  | { readonly kind: 'captured' }
  | { readonly kind: 'declined'; readonly declineCode: string }

export interface RefundRequest {
  readonly key: string
  /** The key of the charge that the money was taken with. */
  readonly chargeKey: string
  readonly amountMinor: number
}
export interface RefundAnswer {
  readonly kind: 'refunded'
}

/** The provider says that the request itself is wrong: a bug of ours, which no repeat can mend. */
export class ProviderRefusal extends RemoteRefusal {
  override readonly name = 'ProviderRefusal'
}
