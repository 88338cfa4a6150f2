import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import type { Sql } from '../../db/client.ts'
import { SettingError } from '../../queues/settings.ts'
import { seal, unseal } from './secrets.ts'
import { findSigningKey, insertSigningKey, type SigningKeyRow } from './store.ts'

export interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey | Uint8Array
}

const purpose = 'accounts.signing-keys'

/** The key that signs access tokens; made at the first start, once even if several processes start together. */
export async function loadSigningKey(sql: Sql, secret: string, now: Date): Promise<SigningKey> {
  let row = await findSigningKey(sql)
  if (!row) {
    await insertSigningKey(sql, await generate(secret), now)
    row = await findSigningKey(sql)
  }
  if (!row) throw new Error('the signing key was retired while it was made')
  return { kid: row.kid, privateKey: await open(row, secret) }
}

async function generate(secret: string): Promise<SigningKeyRow> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  return {
    kid,
    publicJwk: { ...publicJwk, kid, alg: 'EdDSA', use: 'sig' },
    privateJwe: await seal(await exportJWK(privateKey), secret, purpose),
  }
}

async function open({ kid, privateJwe }: SigningKeyRow, secret: string): Promise<CryptoKey | Uint8Array> {
  const jwk = await unseal(privateJwe, secret, purpose).catch(() => {
    throw new SettingError(
      `setting ACCOUNTS_SECRET: it is not the one that signing key ${kid} was encrypted with`,
    )
  })
  return importJWK(jwk as JWK, 'EdDSA')
}
