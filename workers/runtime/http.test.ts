import { describe, expect, test } from 'bun:test'
import { Elysia } from 'elysia'
import { createRemote } from './ask.ts'
import { guarded, internalSecretHeader } from './http.ts'

const remote = createRemote(
  { name: 'payments.simulator', timeoutMs: 1 },
  { nowMs: Date.now, onChange: () => {} },
)
const service = (ailments: readonly string[]) => {
  const answer = guarded(
    new Elysia().get('/things', () => ['a thing']),
    'secret',
    {
      ailments: async () => ailments,
      breakers: () => [remote.view()],
      metrics: async () => new Response('figures'),
    },
  )
  return async (path: string, headers: Record<string, string> = {}) => {
    const response = await answer(new Request(`http://service${path}`, { headers }))
    return { status: response.status, body: await response.text() }
  }
}

describe('/readyz', () => {
  test('lists the remote sides, and one that is left alone does not make the process unready', async () => {
    const ask = service([])
    remote.isolate('maintenance')
    const { status, body } = await ask('/readyz')
    expect([status, JSON.parse(body)]).toEqual([
      200,
      { ready: true, reasons: [], breakers: [{ name: 'payments.simulator', state: 'isolated' }] },
    ])
    remote.close()
  })
  test('is 503 with the reasons', async () => {
    const { status, body } = await service(['Postgres does not answer'])('/readyz')
    expect([status, JSON.parse(body)]).toMatchObject([
      503,
      { ready: false, reasons: ['Postgres does not answer'] },
    ])
  })
})

test('health and figures are for whoever is on the private side; everything else asks for the secret', async () => {
  const ask = service([])
  expect((await ask('/livez')).status).toBe(200)
  expect(await ask('/metrics')).toEqual({ status: 200, body: 'figures' })
  expect((await ask('/things')).status).toBe(401)
  expect((await ask('/things', { [internalSecretHeader]: 'secre' })).status).toBe(401)
  expect((await ask('/things', { [internalSecretHeader]: 'secret' })).status).toBe(200)
})
