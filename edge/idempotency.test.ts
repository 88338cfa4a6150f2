import { describe, expect, test } from 'bun:test'
import { fingerprintOf, readIdempotencyKey } from './idempotency.ts'
import { Problem } from './problems.ts'

const codeOf = (header: string | undefined): string => {
  try {
    return `accepted ${readIdempotencyKey(header)}`
  } catch (error) {
    return error instanceof Problem ? error.code : String(error)
  }
}

describe('the Idempotency-Key header', () => {
  test('is taken in double quotes, as the draft asks, and bare, as most clients send it', () => {
    expect(readIdempotencyKey('"8e03978e-40d5-43dd-bc93-6894a57f9324"')).toBe(
      '8e03978e-40d5-43dd-bc93-6894a57f9324',
    )
    expect(readIdempotencyKey('8e03978e-40d5-43dd-bc93-6894a57f9324')).toBe(
      '8e03978e-40d5-43dd-bc93-6894a57f9324',
    )
    expect(readIdempotencyKey('"with space, comma and \\"quote\\" and \\\\"')).toBe(
      'with space, comma and "quote" and \\',
    )
  })
  test('must be there', () => {
    expect(codeOf(undefined)).toBe('idempotency_key_missing')
  })
  test('is 1 to 255 printable ASCII characters', () => {
    expect(codeOf('a'.repeat(255))).toBe(`accepted ${'a'.repeat(255)}`)
    expect(codeOf(`"${'a'.repeat(255)}"`)).toBe(`accepted ${'a'.repeat(255)}`)
    for (const wrong of ['a'.repeat(256), `"${'a'.repeat(256)}"`, '""', 'ünïcode', '"ü"', 'a\tb', '\u007f'])
      expect([wrong, codeOf(wrong)]).toEqual([wrong, 'idempotency_key_invalid'])
  })
  test('is one value: two headers, parameters and open quotes are refused', () => {
    for (const wrong of ['a, b', '"a", "b"', '"a";p=1', '"a', '"a\\"', '"a\\b"', 'a b'])
      expect([wrong, codeOf(wrong)]).toEqual([wrong, 'idempotency_key_invalid'])
  })
})

describe('the fingerprint of a request', () => {
  const input = { lines: [{ sku: 'A', quantity: 1 }], paymentMethod: 'pm_1' }
  const fingerprint = fingerprintOf('POST', '/v1/orders', input)

  test('does not depend on the order of fields', () => {
    const shuffled = { paymentMethod: 'pm_1', lines: [{ quantity: 1, sku: 'A' }] }
    expect(fingerprintOf('POST', '/v1/orders', shuffled)).toBe(fingerprint)
  })
  test('differs by method, route, any value, and the order of a list', () => {
    const others = [
      fingerprintOf('PUT', '/v1/orders', input),
      fingerprintOf('POST', '/v1/orders/{orderId}/cancel', input),
      fingerprintOf('POST', '/v1/orders', { ...input, paymentMethod: 'pm_2' }),
      fingerprintOf('POST', '/v1/orders', { ...input, lines: [{ sku: 'A', quantity: '1' }] }),
      fingerprintOf('POST', '/v1/orders', { ...input, lines: [...input.lines, { sku: 'B', quantity: 1 }] }),
    ]
    expect(new Set([fingerprint, ...others]).size).toBe(others.length + 1)
  })
})
