import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import type { Tokens } from '../../queues/accounts.ts'
import { familyLifeMs, refreshTokenLifeMs, replayWindowMs } from './domain.ts'
import { type TestAccounts, testAccounts } from './service.fixture.ts'

let accounts: TestAccounts
beforeAll(async () => {
  accounts = await testAccounts()
  await accounts.post('/register', { email: 'Ann@Shop.test', password: 'correct horse', name: 'Ann' })
})
afterAll(() => accounts.database.drop())
beforeEach(() => {
  accounts.clock.now = new Date()
  accounts.verified.length = 0
})

const ann = { email: 'ann@shop.test', password: 'correct horse' }
const login = async () => (await accounts.post('/login', ann)).body as unknown as Tokens
const refresh = (refreshToken: string, client = 'phone') =>
  accounts.post('/refresh', { refreshToken }, { 'x-waybill-client': client })
const pass = (ms: number) => {
  accounts.clock.now = new Date(accounts.clock.now.getTime() + ms)
}
const refused = { status: 401, body: { code: 'invalid_refresh_token' } }

describe('an access token', () => {
  const keySet = async () => (await accounts.get('/.well-known/jwks.json')).body as unknown as JSONWebKeySet

  test('is verified by the published key alone, and says who, for whom, what and until when', async () => {
    const { accessToken, expiresInSeconds } = await login()
    const { payload, protectedHeader } = await jwtVerify(accessToken, createLocalJWKSet(await keySet()), {
      algorithms: ['EdDSA'],
      issuer: 'waybill',
      audience: 'waybill-api',
      typ: 'at+jwt',
    })
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: expect.any(String) })
    expect(payload).toEqual({
      iss: 'waybill',
      aud: 'waybill-api',
      sub: expect.stringMatching(/^[0-9a-f-]{36}$/),
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      iat: expect.any(Number),
      exp: expect.any(Number),
      scope: expect.stringContaining('orders:write'),
    })
    expect(expiresInSeconds).toBe(600)
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(600)
  })
  test('is no longer good when its time is over', async () => {
    const { accessToken } = await login()
    const keys = createLocalJWKSet(await keySet())
    pass(600_000)
    expect(jwtVerify(accessToken, keys, { currentDate: accounts.clock.now })).rejects.toThrow('"exp"')
  })
  test('names a key of the set, which has no private part', async () => {
    const { accessToken } = await login()
    const { keys } = await keySet()
    expect(keys.map(key => key.kid)).toEqual([decodeProtectedHeader(accessToken).kid])
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  })
  test('has an id of its own', async () => {
    expect((await login()).accessToken).not.toBe((await login()).accessToken)
  })
})

describe('signing in', () => {
  test('takes the address in any case', async () => {
    expect((await accounts.post('/login', { ...ann, email: 'ANN@shop.TEST' })).status).toBe(200)
  })
  test('an unknown address and a wrong password get the same answer after the same work', async () => {
    const wrong = await accounts.post('/login', { ...ann, password: 'wrong horse' })
    const unknown = await accounts.post('/login', { ...ann, email: 'nobody@shop.test' })
    expect(wrong).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } })
    expect({ ...unknown, headers: null }).toEqual({ ...wrong, headers: null })
    expect(accounts.verified).toEqual(['account', 'nobody'])
  })
  test('nobody can sign in without an account, not even with the password of nobody', async () => {
    const { passwords } = accounts
    expect(await passwords.verify('', null)).toBe(false)
  })
})

describe('a refresh', () => {
  test('answers new tokens, whose refresh token is good in its turn', async () => {
    const first = await login()
    const second = (await refresh(first.refreshToken)).body as unknown as Tokens
    expect(second.refreshToken).not.toBe(first.refreshToken)
    expect(second.accessToken).not.toBe(first.accessToken)
    expect((await refresh(second.refreshToken)).status).toBe(200)
  })
  test('keeps neither the old nor the new token, nor what it answered, in the clear', async () => {
    const { refreshToken } = await login()
    const answer = (await refresh(refreshToken)).body as unknown as Tokens
    const rows = JSON.stringify(await accounts.deps.sql`select * from accounts.refresh_tokens`)
    for (const secret of [refreshToken, answer.refreshToken, answer.accessToken])
      expect(rows).not.toContain(secret)
  })
  test('by 20 uses at once of one client is one rotation, and all get the same answer', async () => {
    const { refreshToken } = await login()
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(refreshToken)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    expect(await successorsOf(refreshToken)).toBe(1)
    expect((await refresh(String(answers[0]?.body.refreshToken))).status).toBe(200)
  })
  test('asked for again within the window answers the same', async () => {
    const { refreshToken } = await login()
    const first = await refresh(refreshToken)
    pass(replayWindowMs)
    expect((await refresh(refreshToken)).body).toEqual(first.body)
  })
  test('asked for again after the window ends every token of the family', async () => {
    const { refreshToken } = await login()
    const next = (await refresh(refreshToken)).body as unknown as Tokens
    pass(replayWindowMs + 1)
    expect(await refresh(refreshToken)).toMatchObject(refused)
    expect(await refresh(next.refreshToken)).toMatchObject(refused)
    expect(await refresh(refreshToken)).toMatchObject(refused)
  })
  test('by another client, even within the window, ends the family too', async () => {
    const { refreshToken } = await login()
    const next = (await refresh(refreshToken, 'phone')).body as unknown as Tokens
    expect(await refresh(refreshToken, 'thief')).toMatchObject(refused)
    expect(await refresh(next.refreshToken, 'phone')).toMatchObject(refused)
  })
  test('that ends a family leaves other logins of the account alone', async () => {
    const other = await login()
    const { refreshToken } = await login()
    await refresh(refreshToken, 'phone')
    await refresh(refreshToken, 'thief')
    expect((await refresh(other.refreshToken)).status).toBe(200)
  })
  test('of an unused token is refused when its time is over', async () => {
    const { refreshToken } = await login()
    pass(refreshTokenLifeMs)
    expect(await refresh(refreshToken)).toMatchObject(refused)
  })
  test('is refused when the family is too old, however often it was used', async () => {
    let { refreshToken } = await login()
    for (let life = 0; life < familyLifeMs; life += refreshTokenLifeMs - 1) {
      const answer = await refresh(refreshToken)
      expect(answer.status).toBe(200)
      refreshToken = String(answer.body.refreshToken)
      pass(refreshTokenLifeMs - 1)
    }
    expect(await refresh(refreshToken)).toMatchObject(refused)
  })
  test('of a token that was never given is refused', async () => {
    expect(await refresh('A'.repeat(43))).toMatchObject(refused)
  })
})

async function successorsOf(refreshToken: string): Promise<number> {
  const hash = new Bun.CryptoHasher('sha256').update(refreshToken).digest()
  const [row] = await accounts.deps.sql<{ count: number }[]>`
    select count(*) - 1 as count from accounts.refresh_tokens
    where family_id = (select family_id from accounts.refresh_tokens where hash = ${hash})`
  return row?.count ?? -1
}
