import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { accountsService } from '../workers/accounts/index.ts'
import { type TestEdge, testEdge } from './edge-harness.ts'
import { type TestKernel, testKernel } from './harness.ts'

let kernel: TestKernel
let edge: TestEdge
beforeAll(async () => {
  kernel = await testKernel({ services: [accountsService] })
  const accounts = kernel.services.routesOf('accounts')
  edge = await testEdge({ database: kernel.database, upstreams: { accounts }, realKeys: true })
})
afterAll(() => kernel.stop())

const password = 'correct horse battery'
const newPerson = () => ({ email: `${uuidv7()}@example.com`, password, name: 'Ada' })
async function signUp() {
  const person = newPerson()
  const { body: account } = await edge.ask('POST', '/v1/accounts', { body: person })
  const { body: tokens } = await edge.ask('POST', '/v1/sessions', { body: { email: person.email, password } })
  return { person, account, tokens: tokens as Record<string, string> }
}

describe('an account', () => {
  test('is opened, signs in, and its token is taken by every route of its role', async () => {
    const { person, account, tokens } = await signUp()
    expect(account).toMatchObject({ email: person.email, name: 'Ada', roles: ['customer'] })
    expect(JSON.stringify(account)).not.toContain('hash')
    expect(tokens).toMatchObject({ tokenType: 'Bearer', expiresInSeconds: 600 })
    const token = tokens.accessToken ?? ''
    expect((await edge.ask('GET', `/v1/accounts/${account.id}`, { token })).body).toEqual(account)
    const order = { lines: [{ sku: 'MUG', quantity: 1 }], paymentMethod: 'pm_card_ok' }
    expect((await edge.ask('POST', '/v1/orders', { token, key: uuidv7(), body: order })).status).toBe(202)
    expect((await edge.ask('POST', '/v1/products', { token, key: uuidv7(), body: {} })).status).toBe(403)
  })
  test('of somebody else is not there', async () => {
    const [mine, theirs] = [await signUp(), await signUp()]
    const token = mine.tokens.accessToken ?? ''
    expect((await edge.ask('GET', `/v1/accounts/${theirs.account.id}`, { token })).status).toBe(404)
  })
  test('gets new tokens for its refresh token', async () => {
    const { tokens } = await signUp()
    const { status, headers, body } = await edge.ask('POST', '/v1/sessions/refresh', {
      body: { refreshToken: tokens.refreshToken },
      headers: { 'user-agent': 'test' },
    })
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(body.refreshToken).not.toBe(tokens.refreshToken)
    const stolen = await edge.ask('POST', '/v1/sessions/refresh', {
      body: { refreshToken: tokens.refreshToken },
      headers: { 'user-agent': 'somebody else' },
    })
    expect([stolen.status, stolen.body.code]).toEqual([401, 'invalid_refresh_token'])
  })
})

test('the keys are served with nothing private in them', async () => {
  const { status, headers, body } = await edge.ask('GET', '/.well-known/jwks.json')
  expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=600'])
  const keys = body.keys as Record<string, unknown>[]
  expect(keys.length).toBeGreaterThan(0)
  for (const key of keys) {
    expect(key).toMatchObject({ kty: 'OKP', crv: 'Ed25519', kid: expect.any(String), x: expect.any(String) })
    expect(key).not.toHaveProperty('d')
  }
})

describe('401', () => {
  test('invalid_credentials: a wrong password and an unknown address look the same', async () => {
    const { person } = await signUp()
    const wrong = await edge.ask('POST', '/v1/sessions', {
      body: { email: person.email, password: 'wrong horse' },
    })
    const unknown = await edge.ask('POST', '/v1/sessions', {
      body: { email: 'nobody@example.com', password },
    })
    expect([wrong.status, wrong.body.code]).toEqual([401, 'invalid_credentials'])
    expect({ ...unknown.body, requestId: '' }).toEqual({ ...wrong.body, requestId: '' })
    expect(wrong.headers.get('www-authenticate')).toBe('Bearer realm="waybill"')
  })
  test('invalid_refresh_token', async () => {
    const asked = edge.ask('POST', '/v1/sessions/refresh', { body: { refreshToken: 'x'.repeat(43) } })
    expect((await asked).body.code).toBe('invalid_refresh_token')
  })
})

describe('409', () => {
  test('email_taken, whatever the case of its letters', async () => {
    const { person } = await signUp()
    const again = { ...newPerson(), email: person.email.toUpperCase() }
    const { status, body } = await edge.ask('POST', '/v1/accounts', { body: again })
    expect([status, body.code]).toEqual([409, 'email_taken'])
  })
})

describe('422', () => {
  test('names the field and never repeats a password', async () => {
    const { status, body } = await edge.ask('POST', '/v1/accounts', {
      body: { email: 'no address', password: 'short', role: 'operator' },
    })
    expect([status, body.code]).toEqual([422, 'validation_failed'])
    const pointers = (body.errors as { pointer: string }[]).map(each => each.pointer)
    expect(pointers.sort()).toEqual(['#/email', '#/name', '#/password', '#/role'])
    expect(JSON.stringify(body)).not.toContain('short')
  })
})

describe('503', () => {
  test('upstream_unavailable while accounts is away', async () => {
    const alone = await testEdge({ database: kernel.database })
    for (const [path, body] of [
      ['/v1/accounts', newPerson()],
      ['/v1/sessions', { email: 'a@example.com', password }],
    ] as const) {
      const answer = await alone.ask('POST', path, { body })
      expect([path, answer.status, answer.body.code]).toEqual([path, 503, 'upstream_unavailable'])
      expect(answer.headers.get('retry-after')).toBe('1')
    }
  })
})
