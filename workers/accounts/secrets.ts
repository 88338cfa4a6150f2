import { createHash, hkdfSync, randomBytes } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'

/** 256 random bits, as a client carries them. */
export const newRefreshToken = (): string => randomBytes(32).toString('base64url')

/** How a refresh token is kept: it has 256 bits of chance, so a fast hash is enough. */
export const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest()

/** What the client is recognized by when it repeats a refresh; kept as a digest. */
export const clientDigest = (client: string): string => createHash('sha256').update(client).digest('hex')

/** Encrypts under a key that is derived from `secret` for this one purpose. */
export function seal(value: unknown, secret: string, purpose: string): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(value)))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .encrypt(keyFor(secret, purpose))
}

/** Throws if it was sealed under another secret or for another purpose. */
export async function unseal(sealed: string, secret: string, purpose: string): Promise<unknown> {
  const { plaintext } = await compactDecrypt(sealed, keyFor(secret, purpose), {
    keyManagementAlgorithms: ['dir'],
    contentEncryptionAlgorithms: ['A256GCM'],
  })
  return JSON.parse(new TextDecoder().decode(plaintext))
}

const keyFor = (secret: string, purpose: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', secret, 'waybill', purpose, 32))
