import type { Tokens } from '../../queues/accounts.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import type { Access } from './access.ts'
import { familyLifeMs, judgeRefresh, type KeptToken, refreshExpiry } from './domain.ts'
import { clientDigest, hashOf, newRefreshToken, seal, unseal } from './secrets.ts'
import { findCredentials, findToken, insertFamily, revokeFamily, rotate } from './store.ts'

const purpose = 'accounts.refresh-answer'

/** Null for an unknown address and for a wrong password alike, after the same work. */
export async function login(
  deps: ServiceDeps,
  access: Access,
  { email, password }: { email: string; password: string },
): Promise<Tokens | null> {
  const credentials = await findCredentials(deps.sql, email)
  const matches = await access.passwords.verify(password, credentials?.passwordHash ?? null)
  if (!credentials || !matches) return null

  const now = deps.now()
  const refreshToken = newRefreshToken()
  const familyExpiresAt = new Date(now.getTime() + familyLifeMs)
  const tokens = await access.issue(credentials, refreshToken, now)
  await insertFamily(deps.sql, {
    id: deps.newId(),
    accountId: credentials.accountId,
    hash: hashOf(refreshToken),
    now,
    tokenExpiresAt: refreshExpiry(now, familyExpiresAt),
    familyExpiresAt,
  })
  return tokens
}

/**
 * Exchanges a refresh token for its successor. Used again by the same client within the replay window it answers
 * the same; used again otherwise it ends its whole family. Null: sign in again.
 */
export async function refresh(
  deps: ServiceDeps,
  access: Access,
  { refreshToken, client }: { refreshToken: string; client: string },
): Promise<Tokens | null> {
  const user = clientDigest(client)
  const token = await findToken(deps.sql, hashOf(refreshToken))
  if (!token) return null
  if (judgeRefresh(token, user, deps.now()).kind === 'rotate') {
    const tokens = await succeed(deps, access, { refreshToken, token, user })
    if (tokens) return tokens
  }
  return answerUsed(deps, { refreshToken, user })
}

/** Null if another use of the token came first. */
async function succeed(
  deps: ServiceDeps,
  access: Access,
  { refreshToken, token, user }: { refreshToken: string; token: KeptToken; user: string },
): Promise<Tokens | null> {
  const now = deps.now()
  const next = newRefreshToken()
  const tokens = await access.issue(token.identity, next, now)
  const rotated = await rotate(deps.sql, {
    hash: hashOf(refreshToken),
    nextHash: hashOf(next),
    nextExpiresAt: refreshExpiry(now, token.family.expiresAt),
    client: user,
    // Whoever reads the table cannot open it: the token it is sealed under is kept as a hash only.
    sealedAnswer: await seal(tokens, refreshToken, purpose),
    now,
  })
  return rotated ? tokens : null
}

async function answerUsed(
  deps: ServiceDeps,
  { refreshToken, user }: { refreshToken: string; user: string },
): Promise<Tokens | null> {
  const token = await findToken(deps.sql, hashOf(refreshToken))
  if (!token) return null
  const verdict = judgeRefresh(token, user, deps.now())
  switch (verdict.kind) {
    case 'replay':
      return (await unseal(verdict.sealedAnswer, refreshToken, purpose)) as Tokens
    case 'revoke':
      await revokeFamily(deps.sql, token.family.id, 'a used refresh token came back', deps.now())
      deps.log.warn(
        { accountId: token.identity.accountId, familyId: token.family.id },
        'a used refresh token came back: its family is revoked',
      )
      return null
    case 'rotate': // still unused, so the rotation failed for another reason: its family ended meanwhile
    case 'refuse':
      return null
    default:
      return verdict satisfies never
  }
}
