import { SignJWT } from 'jose'
import type { Tokens } from '../../queues/accounts.ts'
import type { AccountsConfig } from './config.ts'
import { accessTokenLifeMs, claimsOf, type Identity } from './domain.ts'
import type { SigningKey } from './signing-key.ts'

export async function signAccessToken(
  identity: Identity,
  key: SigningKey,
  { issuer, audience, jti, now }: Pick<AccountsConfig, 'issuer' | 'audience'> & { jti: string; now: Date },
): Promise<string> {
  return new SignJWT({ ...claimsOf(identity, { issuer, audience, jti, now }) })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: key.kid })
    .sign(key.privateKey)
}

export const toTokens = (accessToken: string, refreshToken: string): Tokens => ({
  accessToken,
  tokenType: 'Bearer',
  expiresInSeconds: accessTokenLifeMs / 1_000,
  refreshToken,
})
