import { expect, test } from 'bun:test'
import { preferredWait } from './prefer.ts'

test.each([
  ['wait=10', 10],
  ['respond-async, wait=10', 10],
  ['WAIT = 10', 10],
  ['wait="10"', 10],
  ['wait=10; foo=bar, wait=20', 10],
  ['wait=1000', 30],
  ['wait=0', 0],
  ['wait', 0],
  ['wait=-1', 0],
  ['wait=1.5', 0],
  ['wait=1e3', 0],
  ['awaits=10', 0],
  ['', 0],
])('Prefer: %s waits for %i seconds', (header, seconds) => {
  expect(preferredWait(header)).toBe(seconds)
})

test('without the header nobody waits', () => {
  expect(preferredWait(undefined)).toBe(0)
})
