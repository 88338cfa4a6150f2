import { expect, test } from 'bun:test'
import { readEdgeSettings } from './config.ts'

const env = { DATABASE_URL: 'postgres://localhost/waybill', REDIS_URL: 'redis://localhost' }

test('settings are typed, frozen and have defaults fit for development', () => {
  const settings = readEdgeSettings({ ...env, PORT: '8080' })
  expect(settings).toMatchObject({ PORT: 8080, TOKEN_ISSUER: 'waybill', BODY_MAX_BYTES: 65_536 })
  expect(Object.isFrozen(settings)).toBe(true)
})

test.each([
  ['PORT', 'eighty'],
  ['PORT', '70000'],
  ['DATABASE_URL', ''],
  ['REDIS_URL', 'http://localhost'],
  ['PUBLIC_URL', 'https://example.com/path'],
  ['BODY_MAX_BYTES', '-1'],
  ['INTERNAL_SECRET', 'short'],
])('%s=%s is refused by name, in one line', (name, value) => {
  expect(() => readEdgeSettings({ ...env, [name]: value })).toThrow(new RegExp(`^setting ${name}: [^\\n]+$`))
})

test('the development secret is refused in production', () => {
  expect(() => readEdgeSettings({ ...env, NODE_ENV: 'production' })).toThrow('setting INTERNAL_SECRET')
  const secret = 'x'.repeat(32)
  expect(readEdgeSettings({ ...env, NODE_ENV: 'production', INTERNAL_SECRET: secret }).INTERNAL_SECRET).toBe(
    secret,
  )
})
