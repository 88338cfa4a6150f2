import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import { lineOfText } from './schemas.ts'

const Line = lineOfText(20, 'A name.')
const fits = (text: unknown) => Value.Check(Line, text)

describe('a line of text', () => {
  test.each(['Tea', 'Grüner Tee, 100 g', '緑茶', 'شاي', '🧑‍🍳 x', "Queen's <b>", '\u200fשלום'])(
    'may be %p',
    text => {
      expect(fits(text)).toBe(true)
    },
  )
  test.each(['', ' ', ' Tea', 'Tea ', '\u00a0Tea', 'Tea\u3000', 'x'.repeat(21), 'Te\na', 'Te\ta', 'Tea\r'])(
    'may not be %j',
    text => {
      expect(fits(text)).toBe(false)
    },
  )
  test('has no control character and no bidirectional override, wherever it stands', () => {
    const hidden = [
      ...range(0x00, 0x1f),
      ...range(0x7f, 0x9f),
      ...range(0x2028, 0x202e),
      ...range(0x2066, 0x2069),
    ]
    const word = fc.string({ unit: 'grapheme-ascii', maxLength: 8 })
    fc.assert(
      fc.property(word, fc.constantFrom(...hidden), word, (before, code, after) => {
        expect(fits(`a${before}${String.fromCharCode(code)}${after}z`)).toBe(false)
        expect(fits(`a${before}${after}z`)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n)
