import { afterAll, beforeAll, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { customer, merchant, operator, type TestEdge, testEdge } from './edge-harness.ts'

let it: TestEdge
beforeAll(async () => {
  it = await testEdge()
})
afterAll(() => it.stop())

interface Invariants {
  readonly state: string
  readonly invariants: readonly { readonly name: string; readonly state: string; readonly broken: string[] }[]
}
const ask = async (query = '') => {
  const token = await it.tokenFor(operator())
  const { status, body } = await it.ask('GET', `/v1/ops/invariants${query}`, { token })
  expect(status).toBe(200)
  return body as unknown as Invariants
}

test('operators are told whether everything holds, and what breaks it', async () => {
  expect(await ask()).toMatchObject({ state: 'holds' })
  const id = uuidv7()
  await it.sql`insert into journal.commands (id, type, input, correlation_id, traceparent, due_at)
    values (${id}, 'media.convert', '{}', ${id}, '', now() - interval '6 minutes')`
  const { state, invariants } = await ask('?hours=1')
  expect(state).toBe('broken')
  expect(invariants.filter(each => each.state !== 'holds')).toMatchObject([
    { name: 'abandoned', state: 'broken', broken: [`command ${id}`] },
  ])
  await it.sql`delete from journal.commands where id = ${id}`
})

test('twenty who ask at once share the look', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask()))
  expect(new Set(answers.map(answer => JSON.stringify(answer.invariants))).size).toBe(1)
})

test('nobody else is told', async () => {
  for (const person of [customer(), merchant()]) {
    const { status } = await it.ask('GET', '/v1/ops/invariants', { token: await it.tokenFor(person) })
    expect(status).toBe(403)
  }
  expect((await it.ask('GET', '/v1/ops/invariants')).status).toBe(401)
})

test('how far back is a whole number of hours', async () => {
  const token = await it.tokenFor(operator())
  for (const hours of ['0', '-1', 'x', '1.5', '745']) {
    const { status, body } = await it.ask('GET', `/v1/ops/invariants?hours=${hours}`, { token })
    expect([status, JSON.stringify(body)]).toEqual([400, expect.stringContaining('hours')])
  }
})
