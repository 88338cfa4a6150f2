import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { createAsk, NotSent } from '../../runtime/ask.ts'
import type { ChargeRequest } from '../provider.ts'
import { type Simulator, startSimulator } from '../simulator/server.ts'
import { providerContract } from './contract.ts'
import { createSimulator } from './simulator.ts'

let simulator: Simulator
beforeAll(() => {
  simulator = startSimulator({ slowMs: 50, laterMs: 600_000 })
})
afterAll(() => simulator.stop())

const at = () => createSimulator({ url: simulator.url, webhookSecret: 'development-only' })
const newKey = () => `test:${uuidv7()}`
providerContract('the simulator', {
  provider: at,
  cards: { good: 'pm_card_ok', declined: 'pm_card_declined', challenged: 'pm_card_3ds' },
  newKey,
})

const charge = (paymentMethod: string, given: Partial<ChargeRequest> = {}): ChargeRequest => ({
  key: newKey(),
  amountMinor: 500,
  currency: 'EUR',
  paymentMethod,
  capture: 'automatic',
  ...given,
})
const { signal } = new AbortController()
const ask = (timeoutMs = 5_000) => createAsk({ name: 'payments.simulator', timeoutMs })
const control = async (method: string, path: string, body?: object) =>
  (await fetch(`${simulator.url}${path}`, { method, ...(body && { body: JSON.stringify(body) }) })).json()

describe('what an answer that does not come leaves behind', () => {
  const cases = [
    { card: 'pm_card_timeout', taken: true, timeoutMs: 100 },
    { card: 'pm_card_timeout_before', taken: false, timeoutMs: 100 },
    { card: 'pm_card_cut', taken: true, timeoutMs: 5_000 },
    { card: 'pm_card_500', taken: true, timeoutMs: 5_000 },
  ]
  for (const { card, taken, timeoutMs } of cases)
    test(`${card}: unknown, and ${taken ? 'the charge is there' : 'there is no charge'}`, async () => {
      const request = charge(card)
      const reply = await ask(timeoutMs)(call => at().charge(request, call), signal)
      expect(reply.kind).toBe('unknown')
      const found = await at().find({ key: request.key, reference: null }, signal)
      expect(found?.capturedMinor ?? null).toBe(taken ? 500 : null)
    })

  test('pm_card_timeout_before is taken when it is asked for again', async () => {
    const request = charge('pm_card_timeout_before')
    await ask(100)(call => at().charge(request, call), signal)
    expect(await at().charge(request, signal)).toMatchObject({ kind: 'captured' })
  })
  test('pm_card_slow is answered in the end', async () => {
    expect(await at().charge(charge('pm_card_slow'), signal)).toMatchObject({ kind: 'captured' })
  })
  test('nobody listens: it was not sent', async () => {
    const gone = startSimulator()
    await gone.stop()
    const away = createSimulator({ url: gone.url, webhookSecret: '' })
    await expect(away.charge(charge('pm_card_ok'), signal)).rejects.toBeInstanceOf(NotSent)
    await expect(away.find({ key: 'any', reference: null }, signal)).rejects.toBeInstanceOf(NotSent)
  })
})

describe('what goes wrong on command', () => {
  const misbehave = (body: object) => control('POST', '/misbehave', body)
  const found = (key: string) => at().find({ key, reference: null }, signal)

  for (const [how, taken] of [
    ['silent_before', false],
    ['silent_after', true],
    ['cut_before', false],
    ['cut_after', true],
    ['error_before', false],
    ['error_after', true],
  ] as const)
    test(`${how}: as often as it was ordered, ${taken ? 'after' : 'before'} the effect`, async () => {
      const captured = charge('pm_card_ok', { capture: 'manual' })
      await at().charge(captured, signal)
      const ref = { key: captured.key, reference: null }
      await misbehave({ operation: 'capture', how, times: 1 })
      const part = { key: newKey(), charge: ref, amountMinor: 200, currency: 'EUR', isFinal: false }
      const reply = await ask(200)(call => at().capture(part, call), signal)
      expect(reply.kind).toBe('unknown')
      expect((await found(captured.key))?.capturedMinor).toBe(taken ? 200 : 0)
      expect(await at().capture(part, signal)).toEqual({ kind: 'captured' })
      expect((await found(captured.key))?.captures).toEqual([{ key: part.key, amountMinor: 200 }])
    })

  test('answers to the question what became of a charge, too', async () => {
    const request = charge('pm_card_ok')
    await at().charge(request, signal)
    await misbehave({ operation: 'find', how: 'error_after' })
    await expect(found(request.key)).rejects.toThrow('500')
    expect(await found(request.key)).toMatchObject({ capturedMinor: 500 })
  })
  test('what was ordered can be read and called off', async () => {
    await misbehave({ operation: 'refund', how: 'slow', times: 7, delayMs: 1 })
    expect(await control('GET', '/misbehave')).toEqual({
      waiting: [{ operation: 'refund', how: 'slow', times: 7, delayMs: 1 }],
    })
    expect(await control('DELETE', '/misbehave')).toEqual({ waiting: [] })
    expect(await control('GET', '/misbehave')).toEqual({ waiting: [] })
  })
  test('what nobody can make go wrong is refused', async () => {
    expect(await misbehave({ operation: 'refund', how: 'lose' })).toMatchObject({ code: 'malformed' })
    expect(await control('GET', '/misbehave')).toEqual({ waiting: [] })
  })
})

describe('cards that take their time', () => {
  const hurry = ({ key }: { key: string }) => control('POST', `/charges/${encodeURIComponent(key)}/hurry`)
  const view = ({ key }: { key: string }) => at().find({ key, reference: null }, signal)

  test('money that is not captured in time is let go', async () => {
    const request = charge('pm_card_ok', { capture: 'manual' })
    await at().charge(request, signal)
    await hurry(request)
    expect(await view(request)).toMatchObject({ answer: { kind: 'voided' }, capturedMinor: 0 })
  })
  for (const [card, end] of [
    ['pm_card_processing', 'captured'],
    ['pm_card_processing_declined', 'declined'],
  ] as const)
    test(`${card} ends ${end}`, async () => {
      const request = charge(card)
      expect(await at().charge(request, signal)).toMatchObject({ kind: 'processing' })
      await hurry(request)
      expect(await view(request)).toMatchObject({ answer: { kind: end } })
    })
  for (const [card, first, end] of [
    ['pm_card_refund_fails', 'failed', 'failed'],
    ['pm_card_refund_pending', 'pending', 'succeeded'],
    ['pm_card_refund_pending_fails', 'pending', 'failed'],
    ['pm_card_refund_bounces', 'refunded', 'failed'],
  ] as const)
    test(`${card}: a refund is ${first}, and ${end} in the end`, async () => {
      const request = charge(card)
      await at().charge(request, signal)
      const part = {
        key: newKey(),
        charge: { key: request.key, reference: null },
        amountMinor: 1,
        currency: 'EUR',
      }
      expect(await at().refund(part, signal)).toMatchObject({ kind: first })
      await hurry(request)
      expect((await view(request))?.refunds).toMatchObject([{ key: part.key, status: end }])
    })

  test('pm_card_dispute: opened by itself, decided on command, and nothing goes back meanwhile', async () => {
    const request = charge('pm_card_dispute')
    await at().charge(request, signal)
    await hurry(request)
    const [dispute] = (await view(request))?.disputes ?? []
    expect(dispute).toMatchObject({ amountMinor: 500, status: 'needs_response', reason: 'fraudulent' })
    const ref = { key: request.key, reference: null }
    const back = { key: newKey(), charge: ref, amountMinor: 1, currency: 'EUR' }
    await expect(at().refund(back, signal)).rejects.toThrow('charge_disputed')
    for (const status of ['under_review', 'won']) {
      await control('POST', `/disputes/${dispute?.reference}`, { status })
      expect((await view(request))?.disputes).toMatchObject([{ status }])
    }
    expect(await control('POST', `/disputes/${dispute?.reference}`, { status: 'lost' })).toMatchObject({
      code: 'dispute_closed',
    })
    expect(await at().refund(back, signal)).toMatchObject({ kind: 'refunded' })
  })
})

describe('a challenge', () => {
  const answer = (url: string, answer: string) =>
    fetch(url, { method: 'POST', body: new URLSearchParams({ answer }) }).then(page => page.text())
  const ends = [
    ['pm_card_3ds', 'approve', 'automatic', 'captured'],
    ['pm_card_3ds', 'approve', 'manual', 'authorized'],
    ['pm_card_3ds', 'refuse', 'automatic', 'declined'],
    ['pm_card_3ds_refused', 'approve', 'automatic', 'declined'],
  ] as const
  for (const [card, buyer, capture, end] of ends)
    test(`of ${card}, ${capture}: the buyer says ${buyer}, and it is ${end}; another answer changes nothing`, async () => {
      const request = charge(card, { capture })
      const asked = await at().charge(request, signal)
      if (asked.kind !== 'action_required') throw new Error(`it is ${asked.kind}`)
      expect(await (await fetch(asked.url)).text()).toContain('value="approve"')
      for (const each of [buyer, 'approve', 'refuse'])
        expect(await answer(asked.url, each)).toContain(`This payment is ${end}`)
      expect(await at().find({ key: request.key, reference: null }, signal)).toMatchObject({
        answer: { kind: end },
      })
      expect(await at().charge(request, signal)).toEqual(asked) // the first answer, as providers repeat it
    })
})
