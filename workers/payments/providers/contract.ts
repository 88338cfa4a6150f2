import { describe, expect, test } from 'bun:test'
import { type ChargeRef, type ChargeRequest, type Provider, ProviderRefusal } from '../provider.ts'

/** Cards of a provider under test, by what they are to do. */
export interface ContractCards {
  readonly good: string
  readonly declined: string
  readonly challenged: string
}

export interface ContractOptions {
  /** Asked for when a test runs. */
  readonly provider: () => Provider
  readonly cards: ContractCards
  /** Another key in each call. */
  readonly newKey: () => string
}

/** What every provider must keep to, whoever is behind it. */
export function providerContract(name: string, { provider: at, cards, newKey }: ContractOptions): void {
  const { signal } = new AbortController()
  const request = (given: Partial<ChargeRequest> = {}): ChargeRequest => ({
    key: newKey(),
    amountMinor: 1_000,
    currency: 'EUR',
    paymentMethod: cards.good,
    capture: 'automatic',
    ...given,
  })
  const charged = async (given: Partial<ChargeRequest> = {}) => {
    const asked = request(given)
    const answer = await at().charge(asked, signal)
    const charge: ChargeRef = { key: asked.key, reference: answer.reference }
    const view = async (ref = charge) => {
      const found = await at().find(ref, signal)
      if (!found) throw new Error('the charge is not known')
      return found
    }
    return { asked, answer, charge, view }
  }

  describe(`${name} keeps to the contract`, () => {
    test('an automatic charge is captured, and found by its key alone', async () => {
      const { asked, answer, charge, view } = await charged()
      expect(answer).toEqual({ kind: 'captured', reference: expect.any(String) })
      const expected = {
        answer,
        authorizedMinor: 1_000,
        capturedMinor: 1_000,
        captures: [{ key: asked.key, amountMinor: 1_000 }],
        refunds: [],
        disputes: [],
      }
      expect(await view(charge)).toEqual(expected)
      expect(await view({ ...charge, reference: null })).toEqual(expected)
    })

    test('asked twice under one key it charges once, and on other terms it refuses', async () => {
      const { asked, answer, view } = await charged()
      expect(await at().charge(asked, signal)).toEqual(answer)
      expect((await view()).capturedMinor).toBe(1_000)
      await expect(at().charge({ ...asked, amountMinor: 1_001 }, signal)).rejects.toBeInstanceOf(
        ProviderRefusal,
      )
    })

    test('a declined charge says why, and takes nothing', async () => {
      const { answer, view } = await charged({ paymentMethod: cards.declined })
      expect(answer).toMatchObject({ kind: 'declined', declineCode: expect.stringMatching(/^\w+$/) })
      expect(await view()).toMatchObject({ answer, authorizedMinor: 0, capturedMinor: 0, captures: [] })
    })

    test('what it never heard of is null', async () => {
      expect(await at().find({ key: newKey(), reference: null }, signal)).toBeNull()
    })

    test('money is set aside until a day that is said, and captured under a key of its own', async () => {
      const { answer, charge, view } = await charged({ capture: 'manual' })
      if (answer.kind !== 'authorized') throw new Error(`it is ${answer.kind}`)
      expect(answer.captureBefore.getTime()).toBeGreaterThan(Date.now())
      expect(await view()).toMatchObject({ authorizedMinor: 1_000, capturedMinor: 0, captures: [] })
      const capture = { key: newKey(), charge, amountMinor: 600, currency: 'EUR', isFinal: true }
      for (const _ of ['once', 'and again'])
        expect(await at().capture(capture, signal)).toEqual({ kind: 'captured' })
      expect(await view()).toMatchObject({
        answer: { kind: 'captured' },
        authorizedMinor: 1_000,
        capturedMinor: 600,
        captures: [{ key: capture.key, amountMinor: 600 }],
      })
      const more = { ...capture, key: newKey(), amountMinor: 100 }
      await expect(at().capture(more, signal)).rejects.toBeInstanceOf(ProviderRefusal)
    })

    test('more than was set aside is not captured', async () => {
      const { charge, view } = await charged({ capture: 'manual' })
      const capture = { key: newKey(), charge, amountMinor: 1_001, currency: 'EUR', isFinal: true }
      await expect(at().capture(capture, signal)).rejects.toBeInstanceOf(ProviderRefusal)
      expect((await view()).capturedMinor).toBe(0)
    })

    test('what is let go cannot be captured; what was captured cannot be let go', async () => {
      const { charge, view } = await charged({ capture: 'manual' })
      const release = { key: newKey(), charge }
      for (const _ of ['once', 'and again'])
        expect(await at().void(release, signal)).toEqual({ kind: 'voided' })
      expect(await view()).toMatchObject({ answer: { kind: 'voided' }, capturedMinor: 0 })
      const capture = { key: newKey(), charge, amountMinor: 1, currency: 'EUR', isFinal: true }
      await expect(at().capture(capture, signal)).rejects.toBeInstanceOf(ProviderRefusal)
      const taken = await charged()
      await expect(at().void({ key: newKey(), charge: taken.charge }, signal)).rejects.toBeInstanceOf(
        ProviderRefusal,
      )
    })

    test('parts go back under keys of their own, never more than was captured', async () => {
      const { charge, view } = await charged()
      const part = { key: newKey(), charge, amountMinor: 600, currency: 'EUR' }
      const answer = await at().refund(part, signal)
      expect(answer).toEqual({ kind: 'refunded', reference: expect.any(String) })
      expect(await at().refund(part, signal)).toEqual(answer)
      expect((await view()).refunds).toMatchObject([{ key: part.key, amountMinor: 600, status: 'succeeded' }])
      const more = { ...part, key: newKey(), amountMinor: 500 }
      await expect(at().refund(more, signal)).rejects.toBeInstanceOf(ProviderRefusal)
      expect(await at().refund({ ...more, key: newKey(), amountMinor: 400 }, signal)).toMatchObject({
        kind: 'refunded',
      })
    })

    test('a challenge sends the buyer to the bank, and can be let go', async () => {
      const { answer, charge, view } = await charged({ paymentMethod: cards.challenged })
      expect(answer).toMatchObject({ kind: 'action_required', url: expect.stringMatching(/^https?:\/\//) })
      expect(await view()).toMatchObject({ answer, capturedMinor: 0 })
      expect(await at().void({ key: newKey(), charge }, signal)).toEqual({ kind: 'voided' })
      expect((await view()).answer.kind).toBe('voided')
    })
  })
}
