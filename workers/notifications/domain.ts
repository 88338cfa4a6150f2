const second = 1_000

/** The event that tells of a new account may arrive after that of its first order. */
export const contactPatienceMs = 60 * second
/** A command that sends runs no longer than this; one that is older has died or forgotten. */
export const sendingMaxMs = 30 * second

/** `sending` without an end means that nobody lived to tell whether the mail went out. */
export type DeliveryStatus = 'sending' | 'unsent' | 'sent' | 'unknown' | 'refused'

/** What is known before a mail is sent. */
export interface Reservation {
  readonly contact: { readonly email: string; readonly name: string } | null
  /** The delivery is ours to send under this id. */
  readonly reservedId: string | null
  /** An earlier one of the same workflow, recipient and subject. */
  readonly earlier: {
    readonly id: string
    readonly status: DeliveryStatus
    readonly commandId: string
    readonly begunAt: Date
  } | null
}

export type Step =
  | { readonly kind: 'send'; readonly deliveryId: string; readonly email: string; readonly name: string }
  | { readonly kind: 'settled'; readonly deliveryId: string; readonly delivery: 'sent' | 'unknown' }
  /** Somebody began to send it and never said how it ended. */
  | { readonly kind: 'give-up'; readonly deliveryId: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'no-contact' }
  | { readonly kind: 'wait'; readonly delayMs: number; readonly because: string }

/**
 * A mail is never sent twice: a second receipt reads like a second charge, and every mail here repeats what the
 * order itself says. So an unknown outcome stays unknown, for an operator to look at, and is not sent again.
 */
export function nextStep(
  { contact, reservedId, earlier }: Reservation,
  { commandId, acceptedAt, now }: { commandId: string; acceptedAt: Date; now: Date },
): Step {
  if (contact && reservedId) return { kind: 'send', deliveryId: reservedId, ...contact }
  switch (earlier?.status) {
    case 'sent':
    case 'unknown':
      return { kind: 'settled', deliveryId: earlier.id, delivery: earlier.status }
    case 'refused':
      return { kind: 'refused' }
    case 'sending': {
      // Our own earlier run has lost its claim; another command may be at it this moment.
      const over = earlier.commandId === commandId || now.getTime() - earlier.begunAt.getTime() > sendingMaxMs
      return over
        ? { kind: 'give-up', deliveryId: earlier.id }
        : { kind: 'wait', delayMs: second, because: 'another command is sending this mail' }
    }
    case 'unsent':
    case undefined:
      if (contact)
        return { kind: 'wait', delayMs: second, because: 'another command has just begun this mail' }
      return now.getTime() - acceptedAt.getTime() < contactPatienceMs
        ? { kind: 'wait', delayMs: 2 * second, because: 'the address of this customer is not known yet' }
        : { kind: 'no-contact' }
  }
}
