import { hash } from 'node:crypto'
import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { type Actor, type Scope, scopes } from '../../queues/access.ts'
import { Problem } from '../problems.ts'

export interface TokenRules {
  readonly issuer: string
  readonly audience: string
  /** Fetches the public keys of accounts; called again for an unknown key, at most every 30 s. */
  readonly fetchKeys: (init: { readonly signal: AbortSignal }) => Promise<Response>
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
}

/** Who the `Authorization` header speaks for. Throws a Problem: 401, or 503 while the keys cannot be had. */
export type Authenticate = (authorization: string | undefined) => Promise<Actor>

/** Longer than any token of ours; looked at before anything is parsed. */
const tokenLengthMax = 4_096
const cachedMax = 20_000
const known = new Set<string>(scopes)

export function createAuthenticator({ issuer, audience, fetchKeys, nowMs }: TokenRules): Authenticate {
  // The address is never dialled: the fetch below goes to accounts, wherever it runs.
  const keys = createRemoteJWKSet(new URL('http://accounts/.well-known/jwks.json'), {
    cooldownDuration: 30_000,
    cacheMaxAge: 600_000,
    timeoutDuration: 2_000,
    [customFetch]: (_url, { signal }) => takeKeys(fetchKeys, signal),
  })
  const rules = {
    algorithms: ['EdDSA'],
    issuer,
    audience,
    typ: 'at+jwt',
    requiredClaims: ['sub', 'exp', 'iat', 'jti', 'scope'],
    clockTolerance: 5,
  }
  const verified = new LRUCache<string, { readonly actor: Actor; readonly expiresAtMs: number }>({
    max: cachedMax,
  })

  return async authorization => {
    const token = bearerToken(authorization)
    const digest = hash('sha256', token, 'base64')
    const seen = verified.get(digest)
    if (seen && seen.expiresAtMs > nowMs()) return seen.actor
    const { payload } = await jwtVerify(token, keys, { ...rules, currentDate: new Date(nowMs()) }).catch(
      refuse,
    )
    const actor = actorOf(payload)
    verified.set(digest, { actor, expiresAtMs: (payload.exp ?? 0) * 1_000 })
    return actor
  }
}

/** Throws 403 unless the token allows it. */
export function demandScope(actor: Actor, scope: Scope): void {
  if (actor.scopes.includes(scope)) return
  throw new Problem('insufficient_scope', {
    detail: `The token lacks the scope ${scope}.`,
    members: { scope },
    headers: { 'www-authenticate': `Bearer realm="waybill", error="insufficient_scope", scope="${scope}"` },
  })
}

function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined)
    throw new Problem('unauthenticated', { headers: { 'www-authenticate': 'Bearer realm="waybill"' } })
  if (authorization.length > tokenLengthMax + 7) throw invalidToken('The token is too long.')
  if (authorization.slice(0, 7).toLowerCase() !== 'bearer ')
    throw invalidToken('The Authorization header is not a Bearer token.')
  return authorization.slice(7)
}

const invalidToken = (reason: string) =>
  new Problem('unauthenticated', {
    detail: reason,
    headers: {
      'www-authenticate': `Bearer realm="waybill", error="invalid_token", error_description="${reason}"`,
    },
  })

class KeysUnavailable extends Error {}

async function takeKeys(fetchKeys: TokenRules['fetchKeys'], signal: AbortSignal): Promise<Response> {
  const response = await fetchKeys({ signal }).catch(cause => {
    throw new KeysUnavailable('the keys cannot be fetched', { cause })
  })
  if (response.status !== 200) throw new KeysUnavailable(`the keys were answered with ${response.status}`)
  return response
}

function refuse(error: unknown): never {
  if (
    error instanceof KeysUnavailable ||
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid
  )
    throw new Problem('upstream_unavailable', {
      detail: 'The token cannot be checked, because the keys of accounts are not to be had.',
      headers: { 'retry-after': '2' },
    })
  if (error instanceof errors.JWTExpired) throw invalidToken('The token has expired.')
  if (error instanceof errors.JOSEError) throw invalidToken('The token is not valid here.')
  throw error
}

function actorOf({ sub, scope }: JWTPayload): Actor {
  if (typeof sub !== 'string' || sub === '' || sub.length > 64 || typeof scope !== 'string')
    throw invalidToken('The token is not valid here.')
  const granted = scope.split(' ').filter((each): each is Scope => known.has(each))
  return Object.freeze({ id: sub, scopes: Object.freeze(granted) })
}
