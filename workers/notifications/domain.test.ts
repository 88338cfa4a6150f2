import { describe, expect, test } from 'bun:test'
import { contactPatienceMs, nextStep, type Reservation, sendingMaxMs } from './domain.ts'

const now = new Date('2026-01-02T03:04:05Z')
const ago = (ms: number) => new Date(now.getTime() - ms)
const contact = { email: 'ann@mail.test', name: 'Ann' }
const asked = { commandId: 'mine', acceptedAt: now, now }
const nothing: Reservation = { contact: null, reservedId: null, earlier: null }
const earlier = (
  status: NonNullable<Reservation['earlier']>['status'],
  commandId = 'other',
  begunAt = now,
) => ({
  contact,
  reservedId: null,
  earlier: { id: 'd', status, commandId, begunAt },
})

describe('a mail', () => {
  test('that is ours is sent', () => {
    expect(nextStep({ contact, reservedId: 'd', earlier: null }, asked)).toEqual({
      kind: 'send',
      deliveryId: 'd',
      ...contact,
    })
  })
  test('whose end is known is not sent again', () => {
    expect(nextStep(earlier('sent'), asked)).toEqual({ kind: 'settled', deliveryId: 'd', delivery: 'sent' })
    expect(nextStep(earlier('unknown'), asked)).toEqual({
      kind: 'settled',
      deliveryId: 'd',
      delivery: 'unknown',
    })
    expect(nextStep(earlier('refused'), asked)).toEqual({ kind: 'refused' })
  })
  test('that an earlier run of ours began is given up: it may have gone out', () => {
    expect(nextStep(earlier('sending', 'mine'), asked)).toEqual({ kind: 'give-up', deliveryId: 'd' })
  })
  test('that another command is sending is waited for, until that one must have died', () => {
    expect(nextStep(earlier('sending', 'other', ago(sendingMaxMs)), asked).kind).toBe('wait')
    expect(nextStep(earlier('sending', 'other', ago(sendingMaxMs + 1)), asked).kind).toBe('give-up')
  })
  test('that another command takes up at this moment is waited for', () => {
    expect(nextStep(earlier('unsent'), asked).kind).toBe('wait')
    expect(nextStep({ ...nothing, contact }, asked).kind).toBe('wait')
  })
})

describe('without an address', () => {
  test('the mail waits a minute, then it is refused', () => {
    expect(nextStep(nothing, { ...asked, acceptedAt: ago(contactPatienceMs - 1) }).kind).toBe('wait')
    expect(nextStep(nothing, { ...asked, acceptedAt: ago(contactPatienceMs) }).kind).toBe('no-contact')
  })
})
