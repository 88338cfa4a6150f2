import { expect, test } from 'bun:test'
import { CircuitState } from 'cockatiel'
import { CallWindow } from './call-window.ts'

const { Closed, HalfOpen } = CircuitState
function windowOf(rules: { callsMin: number; failuresInARow: number }) {
  const clock = { ms: 1_000_000 }
  return { clock, window: new CallWindow({ windowMs: 20_000, ...rules }, () => clock.ms) }
}

test('half of the calls may fail, and one more is too many; few calls say nothing', () => {
  const { window } = windowOf({ callsMin: 10, failuresInARow: 100 })
  const verdicts = Array.from({ length: 9 }, () => window.failure(Closed))
  expect(verdicts).toEqual(Array.from({ length: 9 }, () => false))
  expect(window.failure(Closed)).toBe(true)
  window.clear()
  for (let n = 0; n < 10; n++) window.success(Closed)
  for (let n = 0; n < 10; n++) expect(window.failure(Closed)).toBe(false)
  expect(window.failure(Closed)).toBe(true)
})

test('several failures in a row are enough, with an answer in between they are not', () => {
  const { window } = windowOf({ callsMin: 1_000, failuresInARow: 3 })
  for (let n = 0; n < 10; n++) {
    expect([window.failure(Closed), window.failure(Closed)]).toEqual([false, false])
    window.success(Closed)
  }
  expect([1, 2, 3].map(() => window.failure(Closed))).toEqual([false, false, true])
})

test('what is older than the window does not count, however quiet it was since', () => {
  const { clock, window } = windowOf({ callsMin: 10, failuresInARow: 100 })
  for (let n = 0; n < 9; n++) window.failure(Closed)
  clock.ms += 3_600_000
  expect(window.counts()).toEqual({ calls: 0, failures: 0 })
  for (let n = 0; n < 5; n++) expect(window.failure(Closed)).toBe(false)
  expect(window.counts()).toEqual({ calls: 5, failures: 5 })
})

test('a try that works begins a new count', () => {
  const { window } = windowOf({ callsMin: 10, failuresInARow: 100 })
  for (let n = 0; n < 9; n++) window.failure(Closed)
  expect(window.failure(HalfOpen)).toBe(true)
  window.success(HalfOpen)
  expect(window.counts()).toEqual({ calls: 1, failures: 0 })
})

test('a busy hour keeps no more than the window', () => {
  const { clock, window } = windowOf({ callsMin: 10, failuresInARow: 100 })
  for (let second = 0; second < 3_600; second++) {
    window.success(Closed)
    clock.ms += 1_000
  }
  expect(window.counts().calls).toBeLessThanOrEqual(20)
})
