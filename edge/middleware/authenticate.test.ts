import { describe, expect, test } from 'bun:test'
import { exportJWK, exportSPKI, generateKeyPair, importSPKI } from 'jose'
import { keyId, publicJwk, sign } from '../../test/edge-harness.ts'
import { Problem } from '../problems.ts'
import { createAuthenticator, demandScope } from './authenticate.ts'

const sub = '0199a5b2-0000-7000-8000-000000000001'
const foreign = await generateKeyPair('EdDSA', { extractable: true })
const rsa = await generateKeyPair('RS256', { extractable: true })
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const seconds = Math.floor(Date.now() / 1_000)
const claims = {
  iss: 'waybill',
  aud: 'waybill-api',
  sub,
  iat: seconds,
  exp: seconds + 600,
  jti: 'j',
  scope: '',
}

function accounts(
  answer: () => Promise<Response> = async () => Response.json({ keys: [publicJwk] }),
  nowMs: () => number = Date.now,
) {
  let fetched = 0
  const authenticate = createAuthenticator({
    issuer: 'waybill',
    audience: 'waybill-api',
    nowMs,
    fetchKeys: () => {
      fetched++
      return answer()
    },
  })
  return { authenticate, fetched: () => fetched }
}
const { authenticate } = accounts()

const outcomeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    actor => `accepted ${JSON.stringify(actor)}`,
    error => (error instanceof Problem ? error.code : `threw ${error}`),
  )
const judge = (token: string) => outcomeOf(authenticate(`Bearer ${token}`))

describe('a token of accounts', () => {
  test('says who asks and what they may do; scopes unknown here are dropped', async () => {
    const token = await sign({ sub, scope: 'orders:read orders:write moon:land' })
    expect(await authenticate(`Bearer ${token}`)).toEqual({
      id: sub,
      scopes: ['orders:read', 'orders:write'],
    })
    expect(await authenticate(`bearer ${token}`)).toEqual({
      id: sub,
      scopes: ['orders:read', 'orders:write'],
    })
  })
  test('is remembered until it expires, not longer', async () => {
    let later = 0
    const { authenticate } = accounts(undefined, () => Date.now() + later)
    const token = `Bearer ${await sign({ sub })}`
    expect((await authenticate(token)).id).toBe(sub)
    expect(await authenticate(token)).toBe(await authenticate(token))
    later = 590_000
    expect((await authenticate(token)).id).toBe(sub)
    later = 610_000
    expect(await outcomeOf(authenticate(token))).toBe('unauthenticated')
  })
  test('the keys are fetched once for many tokens', async () => {
    const { authenticate, fetched } = accounts()
    const tokens = await Promise.all(Array.from({ length: 20 }, () => sign({ sub })))
    await Promise.all(tokens.map(token => authenticate(`Bearer ${token}`)))
    expect(fetched()).toBe(1)
  })
})

describe('401', () => {
  test('no header, another scheme, nothing behind the scheme', async () => {
    for (const header of [
      undefined,
      '',
      'Basic YTpi',
      'Bearer',
      'Bearer ',
      'Token x',
      'Bearer a.b.c',
      'Bearer ...',
    ])
      expect([header, await outcomeOf(authenticate(header))]).toEqual([header, 'unauthenticated'])
  })
  test('alg none, in every spelling', async () => {
    for (const alg of ['none', 'None', 'NONE', '', null]) {
      const token = `${base64url({ alg, typ: 'at+jwt', kid: keyId })}.${base64url(claims)}.`
      expect([alg, await judge(token)]).toEqual([alg, 'unauthenticated'])
    }
  })
  test('HS256 keyed with the public key, in its forms', async () => {
    const spki = await exportSPKI(await importSPKI(await exportSPKI(foreign.publicKey), 'EdDSA'))
    const secrets = [publicJwk.x ?? '', JSON.stringify(publicJwk), spki]
    for (const secret of secrets)
      expect(await judge(await sign({ sub }, { alg: 'HS256' }, new TextEncoder().encode(secret)))).toBe(
        'unauthenticated',
      )
  })
  test('another algorithm than EdDSA', async () => {
    expect(await judge(await sign({ sub }, { alg: 'RS256' }, rsa.privateKey))).toBe('unauthenticated')
  })
  test('a foreign key under our key id, under its own, and under none', async () => {
    for (const kid of [keyId, 'foreign', undefined])
      expect(await judge(await sign({ sub }, { kid }, foreign.privateKey))).toBe('unauthenticated')
  })
  test('a key that the token brings along: jwk, jku, x5u, x5c', async () => {
    const jwk = await exportJWK(foreign.publicKey)
    const url = 'https://attacker.test/keys'
    for (const header of [{ jwk }, { jku: url }, { x5u: url }, { x5c: ['MIIB'] }, { jwk, kid: undefined }])
      expect(await judge(await sign({ sub }, header, foreign.privateKey))).toBe('unauthenticated')
  })
  test('a token of ours that carries a foreign jwk is judged by our key alone', async () => {
    const jwk = await exportJWK(foreign.publicKey)
    expect(await judge(await sign({ sub }, { jwk }))).toStartWith('accepted')
  })
  test('another type: an id token, a plain JWT, none', async () => {
    for (const typ of ['JWT', 'id_token', 'jwt', undefined])
      expect([typ, await judge(await sign({ sub }, { typ }))]).toEqual([typ, 'unauthenticated'])
  })
  test('another issuer or audience', async () => {
    for (const wrong of [{ iss: 'other' }, { aud: 'other' }, { aud: ['other'] }, { iss: 'waybill ' }])
      expect(await judge(await sign({ sub, ...wrong }))).toBe('unauthenticated')
  })
  test('expired, not valid yet, and without an end', async () => {
    const now = Math.floor(Date.now() / 1_000)
    expect(await judge(await sign({ sub, exp: now - 60 }))).toBe('unauthenticated')
    expect(await judge(await sign({ sub, nbf: now + 60 }))).toBe('unauthenticated')
    for (const missing of ['exp', 'iat', 'jti', 'scope', 'sub', 'iss', 'aud'])
      expect([missing, await judge(await sign({ sub, [missing]: undefined }))]).toEqual([
        missing,
        'unauthenticated',
      ])
  })
  test('claims of the wrong type', async () => {
    for (const wrong of [
      { sub: '' },
      { sub: 7 },
      { scope: ['orders:read'] },
      { exp: 'soon' },
      { sub: 'x'.repeat(65) },
    ])
      expect(await judge(await sign({ sub, ...wrong } as never))).toBe('unauthenticated')
  })
  test('a payload or a header that was changed after signing', async () => {
    const [header, , signature] = (await sign({ sub })).split('.')
    const richer = base64url({ ...claims, scope: 'ops:read' })
    expect(await judge(`${header}.${richer}.${signature}`)).toBe('unauthenticated')
    const [, payload] = (await sign({ sub })).split('.')
    const crit = base64url({ alg: 'EdDSA', typ: 'at+jwt', kid: keyId, crit: ['exp'] })
    expect(await judge(`${crit}.${payload}.${signature}`)).toBe('unauthenticated')
  })
  test('an oversize token is refused before it is parsed', async () => {
    const token = await sign({ sub, padding: 'x'.repeat(5_000) })
    expect(await judge(token)).toBe('unauthenticated')
  })
  test('garbage of any shape is 401, never a fault of ours', async () => {
    const parts = ['', '.', 'e30', 'bnVsbA', 'W10', '!!', 'eyJhbGciOiJFZERTQSJ9', '\u00e9', '0']
    for (const a of parts)
      for (const b of parts)
        for (const c of parts) expect(await judge(`${a}.${b}.${c}`)).toBe('unauthenticated')
  })
  test('the answer says how to authenticate and what was wrong', async () => {
    const missing = await authenticate(undefined).catch(error => error.details.headers)
    expect(missing).toEqual({ 'www-authenticate': 'Bearer realm="waybill"' })
    const expired = await authenticate(`Bearer ${await sign({ sub, exp: 1 })}`).catch(error => error.details)
    expect(expired.headers['www-authenticate']).toContain('error="invalid_token"')
    expect(expired.detail).toBe('The token has expired.')
  })
})

describe('403', () => {
  test('names the missing scope', () => {
    expect(() => demandScope({ id: sub, scopes: ['orders:read'] }, 'orders:write')).toThrow(Problem)
    try {
      demandScope({ id: sub, scopes: ['orders:read'] }, 'orders:write')
    } catch (error) {
      const { code, details } = error as Problem
      expect(code).toBe('insufficient_scope')
      expect(details.members).toEqual({ scope: 'orders:write' })
      expect(details.headers?.['www-authenticate']).toContain(
        'error="insufficient_scope", scope="orders:write"',
      )
    }
  })
})

describe('503', () => {
  test('keys that cannot be had are no judgement about the token', async () => {
    const failures = [
      async () => Promise.reject(new Error('connection refused')),
      async () => new Response('busy', { status: 500 }),
      async () => Response.json({ keys: 'none' }),
    ]
    for (const answer of failures) {
      const { authenticate } = accounts(answer)
      expect(await outcomeOf(authenticate(`Bearer ${await sign({ sub })}`))).toBe('upstream_unavailable')
    }
  })
  test('a key published since is fetched, and a flood of unknown key ids is not a flood of fetches', async () => {
    const { authenticate, fetched } = accounts()
    await authenticate(`Bearer ${await sign({ sub })}`)
    for (let at = 0; at < 20; at++)
      await outcomeOf(authenticate(`Bearer ${await sign({ sub }, { kid: `k${at}` }, foreign.privateKey)}`))
    expect(fetched()).toBe(1)
  })
})
