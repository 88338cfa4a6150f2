import { type Role, roles, type Scope } from '../../queues/access.ts'

const second = 1_000
const minute = 60 * second
const day = 24 * 60 * minute

export const accessTokenLifeMs = 10 * minute
/** A refresh token that nobody used for so long is dead. */
export const refreshTokenLifeMs = 7 * day
/** However often it was refreshed, after this long the password is asked again. */
export const familyLifeMs = 30 * day
/** The answer to a refresh may get lost on its way: its client may ask for it again this long. */
export const replayWindowMs = 30 * second

export interface Identity {
  readonly accountId: string
  readonly roles: readonly Role[]
}

/** The claims of an access token (RFC 9068); times in seconds since 1970. */
export interface Claims {
  readonly iss: string
  readonly aud: string
  readonly sub: string
  readonly jti: string
  readonly iat: number
  readonly exp: number
  readonly scope: string
}

export function claimsOf(
  identity: Identity,
  { issuer, audience, jti, now }: { issuer: string; audience: string; jti: string; now: Date },
): Claims {
  const iat = Math.floor(now.getTime() / second)
  return {
    iss: issuer,
    aud: audience,
    sub: identity.accountId,
    jti,
    iat,
    exp: iat + accessTokenLifeMs / second,
    scope: scopesOf(identity.roles).join(' '),
  }
}

/** What the roles allow together, each scope once. */
export const scopesOf = (held: readonly Role[]): readonly Scope[] => [
  ...new Set(held.flatMap((role): readonly Scope[] => roles[role])),
]

/** A successor never outlives its family. */
export const refreshExpiry = (now: Date, familyExpiresAt: Date): Date =>
  new Date(Math.min(now.getTime() + refreshTokenLifeMs, familyExpiresAt.getTime()))

/** A refresh token as it is kept, with the family it belongs to. */
export interface KeptToken {
  readonly expiresAt: Date
  readonly use: { readonly at: Date; readonly client: string; readonly sealedAnswer: string } | null
  readonly family: { readonly id: string; readonly expiresAt: Date; readonly revoked: boolean }
  readonly identity: Identity
}

export type RefreshVerdict =
  | { readonly kind: 'rotate' }
  /** The same client asks again for an answer that it may not have got. */
  | { readonly kind: 'replay'; readonly sealedAnswer: string }
  /** A used token comes back: somebody has copied it. */
  | { readonly kind: 'revoke' }
  | { readonly kind: 'refuse' }

export function judgeRefresh(token: KeptToken, client: string, now: Date): RefreshVerdict {
  if (token.family.revoked || token.family.expiresAt <= now) return { kind: 'refuse' }
  if (token.use) {
    const recent = now.getTime() - token.use.at.getTime() <= replayWindowMs
    return recent && token.use.client === client
      ? { kind: 'replay', sealedAnswer: token.use.sealedAnswer }
      : { kind: 'revoke' }
  }
  return token.expiresAt <= now ? { kind: 'refuse' } : { kind: 'rotate' }
}
