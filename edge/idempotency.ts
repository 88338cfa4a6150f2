import { hash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { Problem } from './problems.ts'

/** A structured-field string (RFC 9651): printable ASCII in double quotes, with `\"` and `\\` escaped. */
const quoted = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
const bare = /^[\x21\x23-\x7e][\x21-\x7e]*$/
const keyLengthMax = 255

/** The key in an `Idempotency-Key` header. Throws a Problem (400) if it is missing or malformed. */
export function readIdempotencyKey(header: string | undefined): string {
  if (header === undefined) throw new Problem('idempotency_key_missing')
  if (header.length > 2 * keyLengthMax + 2) throw malformed(`It is longer than ${keyLengthMax} characters.`)
  const key = bare.test(header) ? header : quoted.exec(header)?.[1]?.replaceAll(/\\(["\\])/g, '$1')
  if (key === undefined) throw malformed('It is neither a string in double quotes nor a bare token.')
  if (key.length === 0) throw malformed('It is empty.')
  if (key.length > keyLengthMax) throw malformed(`It is longer than ${keyLengthMax} characters.`)
  return key
}

const malformed = (detail: string) => new Problem('idempotency_key_invalid', { detail })

/** Equal for equal requests: SHA-256 over method, route and the input in canonical form (RFC 8785). */
export const fingerprintOf = (method: string, route: string, input: unknown): string =>
  hash('sha256', `${method} ${route}\n${canonicalize(input)}`, 'base64url')
