/** W3C Trace Context (version 00). */
const shape = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

export const isTraceparent = (text: string | undefined): text is string =>
  text !== undefined && shape.test(text)

/** A new trace, sampled by default. */
export const startTrace = (): string => `00-${randomHex(16)}-${randomHex(8)}-01`

/** The same trace, one step further down. */
export const childTrace = (parent: string): string =>
  `${parent.slice(0, 36)}${randomHex(8)}${parent.slice(52)}`

export const traceIdOf = (traceparent: string): string => traceparent.slice(3, 35)

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

function randomHex(bytes: number): string {
  let text = ''
  for (const byte of crypto.getRandomValues(new Uint8Array(bytes))) text += hex[byte]
  return text
}
