import { createHmac, timingSafeEqual } from 'node:crypto'
import { BadSignature } from '../carrier.ts'

/** A webhook that is older, or from further ahead, is not taken: seconds. */
const toleranceS = 300

/** `t=<seconds since 1970>,v1=<HMAC-SHA256 of "t.body", hex>`. */
export const signatureOf = (raw: Uint8Array, secret: string, at: Date): string => {
  const seconds = Math.floor(at.getTime() / 1_000)
  return `t=${seconds},v1=${digestOf(raw, secret, seconds).toString('hex')}`
}

/** Throws BadSignature unless whoever knows the secret signed exactly these bytes within the last minutes. */
export function checkSignature(raw: Uint8Array, header: string | null, secret: string, now: Date): void {
  const [, seconds, hex] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? '') ?? []
  if (seconds === undefined || hex === undefined) throw new BadSignature('there is no signature')
  if (!timingSafeEqual(digestOf(raw, secret, Number(seconds)), Buffer.from(hex, 'hex')))
    throw new BadSignature('the signature is not of these bytes')
  if (Math.abs(now.getTime() / 1_000 - Number(seconds)) > toleranceS)
    throw new BadSignature('the signature is old')
}

const digestOf = (raw: Uint8Array, secret: string, seconds: number): Buffer =>
  createHmac('sha256', secret).update(`${seconds}.`).update(raw).digest()
