import { Type } from '@sinclair/typebox'

/** Seconds that a caller may have an answer held back for its outcome. */
export const waitMaxSeconds = 30

/**
 * Seconds to wait for the outcome, from a `Prefer` header (RFC 7240), at most thirty; 0 without a usable `wait`.
 * A malformed preference is ignored, as the RFC asks.
 */
export function preferredWait(header: string | undefined): number {
  if (header === undefined) return 0
  for (const preference of header.split(',')) {
    const [name = '', value = ''] = (preference.split(';')[0] ?? '').split('=', 2)
    if (name.trim().toLowerCase() !== 'wait') continue
    const seconds = value.trim().replace(/^"(.*)"$/, '$1')
    return /^\d{1,9}$/.test(seconds) ? Math.min(Number(seconds), waitMaxSeconds) : 0
  }
  return 0
}

/** The `Prefer` header, for operations that honour `wait`. */
export const preferHeader = {
  Prefer: {
    schema: Type.String({
      description: `\`wait=N\` (RFC 7240) holds the answer back for the outcome, up to ${waitMaxSeconds} seconds.`,
    }),
    required: false,
  },
}
