import { describe, expect, test } from 'bun:test'
import { Type } from '@sinclair/typebox'
import { place } from '../queues/orders.ts'
import { Currency, closed, Instant, oneOf } from '../queues/schemas.ts'
import { validator } from './validate.ts'

const { fits, errors } = validator(place.input)
const right = { lines: [{ sku: 'MUG', quantity: 2 }], paymentMethod: 'pm_card_ok' }
const pointers = (value: unknown) => errors(value).map(({ pointer }) => pointer)

describe('a validator', () => {
  test('takes what fits', () => {
    expect(fits(right)).toBe(true)
    expect(errors(right)).toEqual([])
  })
  test('names every wrong field once, by JSON pointer', () => {
    const wrong = {
      lines: [
        { sku: 'MUG', quantity: 2 },
        { sku: 'mug!', quantity: 0.5 },
      ],
      paymentMethod: 7,
    }
    expect(pointers(wrong).sort()).toEqual(['#/lines/1/quantity', '#/lines/1/sku', '#/paymentMethod'])
  })
  test('names missing and unknown fields', () => {
    const found = errors({ lines: right.lines, note: 'x' })
    expect(found).toContainEqual({ pointer: '#/paymentMethod', detail: 'Required.' })
    expect(found).toContainEqual({ pointer: '#/note', detail: 'Unknown field.' })
  })
  test('takes exactly one of the fields that stand for each other', () => {
    const { lines, paymentMethod } = right
    expect(fits({ quote: 'token', paymentMethod })).toBe(true)
    const detail = 'Expected exactly one of lines, quote.'
    for (const [wrong, pointer] of [
      [{ paymentMethod }, '#/lines'],
      [{ lines, quote: 'token', paymentMethod }, '#/quote'],
    ] as const) {
      expect(fits(wrong)).toBe(false)
      expect(errors(wrong)).toEqual([{ pointer, detail }])
    }
  })
  test('refuses fields that JavaScript would inherit', () => {
    expect(pointers(JSON.parse('{"__proto__":{"lines":[]},"constructor":1}'))).toContain('#/__proto__')
    expect(fits({ ...right, ...JSON.parse('{"constructor":1}') })).toBe(false)
  })
  test('escapes what is special in a pointer', () => {
    expect(pointers({ ...right, 'a/b~c': 1 })).toEqual(['#/a~1b~0c'])
  })
  test('lists the choices of an enumeration', () => {
    const colour = validator(Type.Object({ colour: oneOf(['red', 'blue'], 'A colour.') }, closed))
    expect(colour.errors({ colour: 'green' })).toEqual([
      { pointer: '#/colour', detail: 'Expected one of red, blue.' },
    ])
  })
  test('knows instants, and refuses to be made for a format that nobody checks', () => {
    const { fits } = validator(Type.Object({ at: Instant }, closed))
    expect(fits({ at: '2026-11-21T07:05:51.306Z' })).toBe(true)
    expect(fits({ at: '2026-11-21T07:05:51+02:00' })).toBe(true)
    for (const at of ['2026-11-21', '2026-13-21T07:05:51Z', '21 Nov 2026', ''])
      expect([at, fits({ at })]).toEqual([at, false])
    expect(() => validator(Type.String({ format: 'shoe-size' }))).toThrow('shoe-size')
  })
  test('knows the currencies that are in use, and says so in words', () => {
    const { fits, errors } = validator(Type.Object({ currency: Currency }, closed))
    for (const currency of ['EUR', 'JPY', 'KWD']) expect(fits({ currency })).toBe(true)
    for (const currency of ['EEE', 'DEM', 'eur', 'EURO', '', 'toString', 978])
      expect([currency, fits({ currency })]).toEqual([currency, false])
    const detail = 'Expected: ISO 4217 code of a currency in use, such as EUR.'
    expect(errors({ currency: 'EEE' })).toEqual([{ pointer: '#/currency', detail }])
  })
  test('stops at twenty errors and never repeats a value', () => {
    const secret = 'hunter2'
    const lines = Array.from({ length: 100 }, () => ({ sku: secret, quantity: secret }))
    const found = errors({ lines, paymentMethod: secret })
    expect(found.length).toBe(20)
    expect(JSON.stringify(found)).not.toContain(secret)
  })
})
