import { describe, expect, test } from 'bun:test'
import { scopes } from '../../queues/access.ts'
import {
  accessTokenLifeMs,
  claimsOf,
  judgeRefresh,
  type KeptToken,
  refreshExpiry,
  refreshTokenLifeMs,
  replayWindowMs,
  scopesOf,
} from './domain.ts'

const now = new Date('2026-01-02T03:04:05.678Z')
const after = (ms: number) => new Date(now.getTime() + ms)
const before = (ms: number) => new Date(now.getTime() - ms)

describe('the scopes of a token', () => {
  test('a customer may order, and change neither the catalog nor anybody', () => {
    const held = scopesOf(['customer'])
    expect(held).toContain('orders:write')
    expect(held).not.toContain('catalog:write')
    expect(held).not.toContain('accounts:write')
    expect(held.filter(scope => scope.startsWith('ops:'))).toEqual([])
  })
  test('a merchant may change the catalog, and operates nothing', () => {
    const held = scopesOf(['merchant'])
    expect(held).toContain('catalog:write')
    expect(held.filter(scope => scope.startsWith('ops:'))).toEqual([])
  })
  test('an operator may do everything', () => {
    expect([...scopesOf(['operator'])].sort()).toEqual([...scopes].sort())
  })
  test('two roles give each scope once', () => {
    const held = scopesOf(['customer', 'merchant'])
    expect(held).toHaveLength(new Set(held).size)
  })
})

test('claims are in whole seconds, and the token ends ten minutes after it began', () => {
  const identity = { accountId: 'a', roles: ['customer'] as const }
  const claims = claimsOf(identity, { issuer: 'i', audience: 'b', jti: 'j', now })
  expect(claims).toMatchObject({ iss: 'i', aud: 'b', sub: 'a', jti: 'j', iat: 1_767_323_045 })
  expect(claims.exp - claims.iat).toBe(600)
  expect(accessTokenLifeMs).toBe(600_000)
  expect(claims.scope.split(' ')).toEqual([...scopesOf(['customer'])])
})

describe('a refresh token', () => {
  test('never outlives its family', () => {
    expect(refreshExpiry(now, after(1_000))).toEqual(after(1_000))
    expect(refreshExpiry(now, after(10 * refreshTokenLifeMs))).toEqual(after(refreshTokenLifeMs))
  })

  const fresh: KeptToken = {
    expiresAt: after(1),
    use: null,
    family: { id: 'f', expiresAt: after(1), revoked: false },
    identity: { accountId: 'a', roles: ['customer'] },
  }
  const usedAt = (at: Date): KeptToken => ({ ...fresh, use: { at, client: 'me', sealedAnswer: 'sealed' } })

  test('is exchanged once', () => {
    expect(judgeRefresh(fresh, 'me', now)).toEqual({ kind: 'rotate' })
  })
  test('is refused from the moment it expires, or its family does', () => {
    expect(judgeRefresh({ ...fresh, expiresAt: now }, 'me', now).kind).toBe('refuse')
    expect(judgeRefresh({ ...fresh, family: { ...fresh.family, expiresAt: now } }, 'me', now).kind).toBe(
      'refuse',
    )
  })
  test('of a revoked family is refused, used or not', () => {
    const family = { ...fresh.family, revoked: true }
    expect(judgeRefresh({ ...fresh, family }, 'me', now).kind).toBe('refuse')
    expect(judgeRefresh({ ...usedAt(now), family }, 'me', now).kind).toBe('refuse')
  })
  test('gives the same answer again to the same client within the window', () => {
    const verdict = { kind: 'replay', sealedAnswer: 'sealed' } as const
    expect(judgeRefresh(usedAt(now), 'me', now)).toEqual(verdict)
    expect(judgeRefresh(usedAt(before(replayWindowMs)), 'me', now)).toEqual(verdict)
  })
  test('ends its family when another client brings it, or when the window is over', () => {
    expect(judgeRefresh(usedAt(now), 'somebody', now).kind).toBe('revoke')
    expect(judgeRefresh(usedAt(before(replayWindowMs + 1)), 'me', now).kind).toBe('revoke')
  })
})
