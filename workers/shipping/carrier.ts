import type { Address, ShipmentStatus } from '../../queues/fulfilment.ts'

/** Somebody who carries parcels. Every label is bought with our key: asked twice under one key, it is one label. */
export interface Carrier {
  readonly name: string
  /** What it asks for carrying such a parcel. */
  rates(request: RateRequest, signal: AbortSignal): Promise<RatesAnswer>
  buyLabel(request: LabelRequest, signal: AbortSignal): Promise<LabelAnswer>
  /** The label with this key; null if the carrier never heard of it. */
  findLabel(key: string, signal: AbortSignal): Promise<LabelAnswer | null>
  /** Gives the label back, before the parcel is on its way. */
  cancelLabel(key: string, signal: AbortSignal): Promise<CancelAnswer>
  /** Everything that happened to the parcel, in whatever order; null if its label has no tracking. */
  track(trackingNumber: string, signal: AbortSignal): Promise<readonly Scan[] | null>
  /** Which parcel a webhook is about. Throws BadSignature for one that the carrier did not send, or sent long ago. */
  readEvent(raw: Uint8Array, headers: Headers, now: Date): Promise<CarrierEvent>
}

export interface Parcel {
  /** Where the goods are; null if the store does not say. */
  readonly from: { readonly country: string } | null
  readonly destination: Address
  readonly weightG: number
}
export interface RateRequest extends Parcel {
  /** The currency of the goods: rates in another are of no use. */
  readonly currency: string
}
export interface CarrierRate {
  readonly service: string
  readonly amountMinor: number
  readonly currency: string
  readonly etaDays: number
}
export type RatesAnswer =
  /** None, if it does not go there. */
  | { readonly kind: 'rates'; readonly rates: readonly CarrierRate[] }
  /** It has no prices: those of the store's table count. */
  | { readonly kind: 'by_table' }
  /** It knows no such address. */
  | { readonly kind: 'no_address'; readonly because: string }

export interface LabelRequest extends Omit<Parcel, 'destination'> {
  readonly key: string
  readonly service: string
  /** Null: the order was placed without an address. */
  readonly destination: Address | null
}
export interface Label {
  /** Null: nobody tracks it, or the number is to be typed in. */
  readonly trackingNumber: string | null
  readonly trackingUrl: string | null
  /** The label itself to be printed: where it is, or what it is. */
  readonly document:
    | { readonly url: string }
    | { readonly format: 'pdf' | 'zpl'; readonly base64: string }
    | null
}
export type LabelAnswer =
  | { readonly kind: 'bought'; readonly label: Label }
  /** It will not carry this, however often it is asked. */
  | { readonly kind: 'refused'; readonly because: string }

export type CancelAnswer =
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'refused'; readonly because: string }

/** Something that happened to a parcel. */
export interface Scan {
  /** The carrier's own: told twice, it is one event. */
  readonly id: string
  /** `unknown`: the carrier has a word for it that we do not know. */
  readonly status: ShipmentStatus
  readonly occurredAt: Date
  readonly note: string | null
}

export interface CarrierEvent {
  readonly id: string
  readonly trackingNumber: string
}

/** The carrier did not send this, or not now. */
export class BadSignature extends Error {
  override readonly name = 'BadSignature'
}
