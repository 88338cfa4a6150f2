import { createHmac, timingSafeEqual } from 'node:crypto'

export const signatureHeader = 'webhook-signature'
/** A webhook that was signed longer ago, or is from later than that, is refused. */
const toleranceMs = 300_000

/** `t=<unix seconds>,v1=<HMAC-SHA256 of "t.raw", hex>`. */
export function signatureOf(raw: string | Uint8Array, secret: string, atMs: number): string {
  const t = Math.floor(atMs / 1_000)
  return `t=${t},v1=${digest(raw, secret, t).toString('hex')}`
}

/** Null if it is right, and not too old; else what is wrong with it. */
export function faultOf(
  raw: Uint8Array,
  header: string | null,
  secret: string,
  nowMs: number,
): string | null {
  const parts = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? '')
  if (!parts) return 'it is not signed'
  const [, t = '', given = ''] = parts
  if (!timingSafeEqual(digest(raw, secret, Number(t)), Buffer.from(given, 'hex')))
    return 'its signature is wrong'
  return Math.abs(nowMs - Number(t) * 1_000) > toleranceMs ? 'it was signed too long ago' : null
}

const digest = (raw: string | Uint8Array, secret: string, t: number): Buffer =>
  createHmac('sha256', secret).update(`${t}.`).update(raw).digest()
