import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { exportJWK, generateKeyPair, importJWK, jwtVerify } from 'jose'
import { type TestDatabase, testDatabase } from '../../test/harness.ts'
import { readConfig } from './config.ts'
import { seal, unseal } from './secrets.ts'
import { loadSigningKey } from './signing-key.ts'
import { signAccessToken } from './tokens.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.drop())

const secret = 'a secret of the test, long enough for the setting'
const now = new Date()

describe('the signing key', () => {
  test('is made once, though ten processes start together, and every one of them signs with it', async () => {
    const sql = database.sql('accounts')
    const keys = await Promise.all(Array.from({ length: 10 }, () => loadSigningKey(sql, secret, now)))
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(1)
    const rows = await sql`select public_jwk from accounts.signing_keys`
    expect(rows).toHaveLength(1)
    const published = await importJWK(rows[0]?.public_jwk, 'EdDSA')
    for (const key of keys) {
      const rules = { issuer: 'i', audience: 'a', jti: 'j', now: new Date() }
      const token = await signAccessToken({ accountId: 's', roles: ['customer'] }, key, rules)
      expect((await jwtVerify(token, published, { issuer: 'i', audience: 'a' })).payload.sub).toBe('s')
    }
  })
  test('is at rest only in a form that its secret opens', async () => {
    const sql = database.sql('accounts')
    await loadSigningKey(sql, secret, now)
    const [row] = await sql`select * from accounts.signing_keys`
    const jwk = (await unseal(row?.private_jwe, secret, 'accounts.signing-keys')) as { d: string }
    expect(jwk.d).toHaveLength(43)
    expect(JSON.stringify(row)).not.toContain(jwk.d)
  })
  test('stops the start, by the name of the setting, when the secret is another', async () => {
    const sql = database.sql('accounts')
    await loadSigningKey(sql, secret, now)
    expect(loadSigningKey(sql, `not ${secret}`, now)).rejects.toThrow(/^setting ACCOUNTS_SECRET: /)
  })
})

test('what is sealed opens under the same secret for the same purpose, and under no other', async () => {
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
  const value = await exportJWK(privateKey)
  const sealed = await seal(value, secret, 'one')
  expect(await unseal(sealed, secret, 'one')).toEqual(value)
  expect(unseal(sealed, secret, 'two')).rejects.toThrow()
  expect(unseal(sealed, `${secret}!`, 'one')).rejects.toThrow()
})

describe('ACCOUNTS_SECRET', () => {
  test('has a default for development, refused in production', () => {
    expect(readConfig({}).secret.length).toBeGreaterThanOrEqual(32)
    expect(() => readConfig({ NODE_ENV: 'production' })).toThrow(/^setting ACCOUNTS_SECRET: /)
    expect(readConfig({ NODE_ENV: 'production', ACCOUNTS_SECRET: secret }).secret).toBe(secret)
  })
  test('is refused when it is short', () => {
    expect(() => readConfig({ ACCOUNTS_SECRET: 'short' })).toThrow(/^setting ACCOUNTS_SECRET: /)
  })
})
