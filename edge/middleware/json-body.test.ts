import { describe, expect, test } from 'bun:test'
import { Problem } from '../problems.ts'
import { depthMax, depthOf, readJson } from './json-body.ts'

const bytesMax = 1_000
const request = (body: BodyInit | null, headers: Record<string, string> = {}) =>
  new Request('http://edge.test/', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    value => `read ${JSON.stringify(value)}`,
    error => (error instanceof Problem ? error.code : String(error)),
  )
const read = (body: BodyInit | null, headers?: Record<string, string>) =>
  codeOf(readJson(request(body, headers), bytesMax))

/** Gives its chunks one by one and tells how many were taken. */
function drip(chunks: readonly string[]) {
  let taken = 0
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[taken]
        if (chunk === undefined) return controller.close()
        taken++
        controller.enqueue(new TextEncoder().encode(chunk))
      },
    },
    { highWaterMark: 0 },
  )
  return { stream, taken: () => taken }
}

describe('a JSON body', () => {
  test('is read, also in pieces that split a character', async () => {
    const bytes = new TextEncoder().encode('{"a":"ä"}')
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes.slice(0, 7))
        controller.enqueue(bytes.slice(7))
        controller.close()
      },
    })
    expect(await readJson(request(stream), bytesMax)).toEqual({ a: 'ä' })
    expect(await readJson(request('{"a":"ä"}', { 'content-length': '10' }), bytesMax)).toEqual({ a: 'ä' })
  })
  test('may be absent, and is an empty object then', async () => {
    expect(await readJson(new Request('http://edge.test/', { method: 'POST' }), bytesMax)).toEqual({})
  })
})

describe('400', () => {
  test.each(['', '{', '{"a":1', '{"a":1}}', '{a:1}', "{'a':1}", '[1,]', 'NaN', '{"a":"\n"}', '\u0000'])(
    'malformed_json: %j',
    async text => {
      expect(await read(text)).toBe('malformed_json')
    },
  )
  test('malformed_json: bytes that are not UTF-8, rather than other text in their place', async () => {
    expect(await read(new Uint8Array([0x22, 0xff, 0x22]))).toBe('malformed_json')
    expect(await read(new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]))).toBe('malformed_json')
  })
  test('malformed_json: what Postgres cannot store, wherever it hides', async () => {
    for (const text of [
      '{"a":"\\u0000"}',
      '{"a":["x","\\ud800"]}',
      '{"\\u0000":1}',
      '{"a":{"b":"\\udc00x"}}',
    ])
      expect([text, await read(text)]).toEqual([text, 'malformed_json'])
    expect(await read('{"a":"\\ud83d\\ude00 \\\\u0000"}')).toBe('read {"a":"😀 \\\\u0000"}')
  })
  test('body_too_deep: brackets are counted before anything is parsed', async () => {
    expect(await read('['.repeat(depthMax) + ']'.repeat(depthMax))).toStartWith('read [')
    expect(await read('['.repeat(depthMax + 1) + ']'.repeat(depthMax + 1))).toBe('body_too_deep')
    expect(await read('{"a":'.repeat(depthMax + 1))).toBe('body_too_deep')
  })
  test('brackets inside strings are no depth', () => {
    expect(depthOf('{"a":"[[[[{{{{","b\\"[[":["]"]}')).toBe(2)
    expect(depthOf('"unfinished [[')).toBe(0)
    expect(depthOf('"ends with a backslash \\')).toBe(0)
  })
})

describe('413', () => {
  test('a declared length above the cap is refused unread', async () => {
    const { stream, taken } = drip(['x'])
    expect(await codeOf(readJson(request(stream, { 'content-length': '1001' }), bytesMax))).toBe(
      'body_too_large',
    )
    expect(taken()).toBe(0)
  })
  test('an undeclared length is counted, and reading stops at the cap', async () => {
    const { stream, taken } = drip(Array.from({ length: 1_000 }, () => ' '.repeat(100)))
    expect(await codeOf(readJson(request(stream), bytesMax))).toBe('body_too_large')
    expect(taken()).toBeLessThanOrEqual(12)
  })
  test('a length beside transfer-encoding is not believed', async () => {
    const { stream } = drip(Array.from({ length: 20 }, () => ' '.repeat(100)))
    const headers = { 'content-length': '2', 'transfer-encoding': 'chunked' }
    expect(await codeOf(readJson(request(stream, headers), bytesMax))).toBe('body_too_large')
  })
  test('exactly the cap is fine', async () => {
    expect(await read(`"${'x'.repeat(bytesMax - 2)}"`)).toStartWith('read')
    expect(await read(`"${'x'.repeat(bytesMax - 1)}"`)).toBe('body_too_large')
  })
})

describe('415', () => {
  test.each([
    ['application/json', 'read {}'],
    ['application/json; charset=utf-8', 'read {}'],
    ['application/json;charset="UTF-8"', 'read {}'],
    ['APPLICATION/JSON', 'read {}'],
    ['text/plain', 'unsupported_media_type'],
    ['application/json; charset=latin1', 'unsupported_media_type'],
    ['application/json5', 'unsupported_media_type'],
    ['application/problem+json', 'unsupported_media_type'],
    ['multipart/form-data; boundary=x', 'unsupported_media_type'],
    ['application/x-www-form-urlencoded', 'unsupported_media_type'],
  ])('content-type %s: %s', async (type, expected) => {
    expect(await read('{}', { 'content-type': type })).toBe(expected)
  })
  test('a body without a content type', async () => {
    const asked = new Request('http://edge.test/', { method: 'POST', body: new Uint8Array([0x7b, 0x7d]) })
    expect(await codeOf(readJson(asked, bytesMax))).toBe('unsupported_media_type')
  })
  test('a compressed body', async () => {
    expect(await read('{}', { 'content-encoding': 'gzip' })).toBe('unsupported_media_type')
  })
})
