import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Type } from '@sinclair/typebox'
import { Hono } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import type { EdgeEnv } from '../edge/context.ts'
import { answerProblem } from '../edge/middleware/problems.ts'
import { trace } from '../edge/middleware/trace.ts'
import { createMount } from '../edge/mount.ts'
import type { Operation } from '../edge/operation.ts'
import { customer, type TestEdge, testEdge } from './edge-harness.ts'
import { testLog } from './harness.ts'

let edge: TestEdge
beforeAll(async () => {
  edge = await testEdge({ settings: { CORS_ORIGINS: 'https://shop.example.com, https://admin.example.com' } })
})
afterAll(() => edge.stop())

describe('404', () => {
  test.each(['/', '/v1', '/v1/', '/v1/orders/', '//v1/orders', '/v1/nope', '/V1/orders', '/%'])(
    'GET %s',
    async path => {
      const { status, headers, body } = await edge.ask('GET', path)
      expect([status, body.code]).toEqual([404, 'not_found'])
      expect(headers.get('content-type')).toBe('application/problem+json')
    },
  )
  test('does not repeat the address', async () => {
    const { body } = await edge.ask('GET', '/<script>alert(1)</script>')
    expect(JSON.stringify(body)).not.toContain('script')
  })
})

describe('405', () => {
  test.each([
    ['DELETE', '/v1/orders', 'POST, GET, HEAD'],
    ['PUT', `/v1/orders/${uuidv7()}`, 'GET, HEAD'],
    ['GET', `/v1/orders/${uuidv7()}/cancel`, 'POST'],
    ['POST', '/openapi.json', 'GET, HEAD'],
    ['TRACE', '/v1/products', 'POST, GET, HEAD'],
  ])('%s %s tells what is allowed', async (method, path, allow) => {
    const { status, headers, body } = await edge.ask(method, path)
    expect([status, body.code, headers.get('allow')]).toEqual([405, 'method_not_allowed', allow])
  })
  test('HEAD is GET without a body', async () => {
    const { status, body } = await edge.ask('HEAD', '/livez')
    expect([status, body.text]).toEqual([200, ''])
  })
})

describe('500', () => {
  test('nothing of an unexpected error goes out, and it is found under the request id', async () => {
    const logged: unknown[] = []
    const log = Object.assign(Object.create(testLog), { error: (entry: unknown) => logged.push(entry) })
    const app = new Hono<EdgeEnv>()
    app.onError(answerProblem({ publicUrl: 'http://edge.test', log }))
    app.use(trace)
    const operation: Operation = {
      id: 'test.fail',
      method: 'GET',
      path: '/fail',
      tag: 'test',
      summary: 'Fails.',
      access: 'public',
      answers: {},
      problems: [],
    }
    createMount(app, [], async () => customer())(operation, () => {
      throw new Error('password is hunter2')
    })
    const answer = await app.request('/fail', { headers: { 'x-request-id': 'r-1' } })
    const text = await answer.text()
    expect(answer.status).toBe(500)
    expect(JSON.parse(text)).toMatchObject({ code: 'internal_error', requestId: 'r-1' })
    expect(text).not.toContain('hunter2')
    expect(logged).toMatchObject([{ requestId: 'r-1', code: 'internal_error', err: expect.any(Error) }])
  })
  test('a route whose parameters are not declared cannot be mounted', () => {
    const mount = createMount(new Hono<EdgeEnv>(), [], async () => customer())
    const operation = {
      id: 'x',
      method: 'GET',
      tag: 'x',
      summary: 'x',
      access: 'public',
      answers: {},
      problems: [],
    }
    const path = '/things/{thingId}'
    expect(() => mount({ ...operation, path } as Operation, () => new Response())).toThrow('thingId')
    const params = Type.Object({ thingId: Type.Integer() })
    expect(() => mount({ ...operation, path, params } as Operation, () => new Response())).toThrow(
      'as strings',
    )
  })
})

describe('every answer', () => {
  const asked = [
    ['GET', '/livez'],
    ['GET', '/nope'],
    ['POST', '/v1/orders'],
    ['GET', '/problems'],
  ] as const

  test('has secure headers and does not name its software', async () => {
    for (const [method, path] of asked) {
      const { headers } = await edge.ask(method, path)
      expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('strict-transport-security')).toStartWith('max-age=')
      expect(headers.get('server') ?? headers.get('x-powered-by')).toBeNull()
    }
  })
  test('has a request id: the caller’s if it is sane, else that of the trace', async () => {
    const given = await edge.ask('GET', '/nope', { headers: { 'x-request-id': 'mine-1.2_3' } })
    expect([given.headers.get('x-request-id'), given.body.requestId]).toEqual(['mine-1.2_3', 'mine-1.2_3'])
    for (const wrong of ['a b', 'x'.repeat(65), '"><script>', '{"a":1}']) {
      const { headers } = await edge.ask('GET', '/nope', { headers: { 'x-request-id': wrong } })
      expect(headers.get('x-request-id')).toBe(headers.get('traceparent')?.slice(3, 35) ?? '')
    }
  })
  test('is part of the caller’s trace, or of a new one if theirs is malformed', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const traceOf = async (traceparent: string) =>
      (await edge.ask('GET', '/livez', { headers: { traceparent } })).headers.get('traceparent') ?? ''
    const child = await traceOf(`00-${traceId}-00f067aa0ba902b7-01`)
    expect(child).toMatch(new RegExp(`^00-${traceId}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`))
    for (const wrong of [
      `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
      `00-${traceId}-${'0'.repeat(16)}-01`,
      `ff-${traceId}-00f067aa0ba902b7-01`,
      `00-${traceId.toUpperCase()}-00f067aa0ba902b7-01`,
      'x',
    ]) {
      const fresh = await traceOf(wrong)
      expect(fresh).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
      expect(fresh).not.toContain(traceId)
    }
  })
})

describe('CORS', () => {
  const preflight = (origin: string) =>
    edge.ask('OPTIONS', '/v1/orders', {
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    })
  test('only for the origins that are set, by name', async () => {
    for (const origin of ['https://shop.example.com', 'https://admin.example.com']) {
      const { status, headers } = await preflight(origin)
      expect([status, headers.get('access-control-allow-origin')]).toEqual([204, origin])
      expect(headers.get('access-control-allow-credentials')).toBeNull()
    }
    for (const origin of ['https://evil.example.com', 'https://shop.example.com.evil.com', 'null'])
      expect((await preflight(origin)).headers.get('access-control-allow-origin')).toBeNull()
  })
  test('for nobody unless it is set', async () => {
    const closed = await testEdge({ database: edge.database })
    const { status, headers } = await closed.ask('OPTIONS', '/v1/orders', {
      headers: { origin: 'https://a.test' },
    })
    expect([status, headers.get('access-control-allow-origin')]).toEqual([405, null])
  })
})

describe('/readyz', () => {
  test('says no once the process is about to stop, while /livez still says yes', async () => {
    const stopping = await testEdge({ database: edge.database })
    expect((await stopping.ask('GET', '/readyz')).status).toBe(200)
    stopping.edge.drain()
    const { status, body } = await stopping.ask('GET', '/readyz')
    expect([status, body]).toEqual([503, { ready: false, postgres: true, redis: true, draining: true }])
    expect((await stopping.ask('GET', '/livez')).status).toBe(200)
  })
  test('without Redis it says yes, and tells', async () => {
    const enqueuer = { add: () => {}, ping: async () => false }
    const alone = await testEdge({ database: edge.database, enqueuer })
    const { status, body } = await alone.ask('GET', '/readyz')
    expect([status, body.ready, body.redis]).toEqual([200, true, false])
  })
})
