import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { place } from '../queues/orders.ts'
import { commands } from '../queues/registry.ts'
import { type Asked, customer, merchant, operator, type TestEdge, testEdge } from './edge-harness.ts'

let edge: TestEdge
let token: string
const body = { lines: [{ sku: 'MUG', quantity: 2 }], paymentMethod: 'pm_card_ok' }
const order = (asked: Asked = {}) => edge.ask('POST', '/v1/orders', { token, key: uuidv7(), body, ...asked })

beforeAll(async () => {
  edge = await testEdge()
  token = await edge.tokenFor(customer())
})
afterAll(() => edge.stop())

/** Asks, and proves that nothing was written for it. */
async function refused(asked: Promise<Awaited<ReturnType<typeof order>>>) {
  const before = await edge.countCommands()
  const told = edge.enqueued.length
  const answer = await asked
  expect(await edge.countCommands()).toBe(before)
  expect(edge.enqueued.length).toBe(told)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(answer.body).toMatchObject({
    status: answer.status,
    type: `http://edge.test/problems/${answer.body.code}`,
    requestId: answer.headers.get('x-request-id'),
  })
  return answer
}

describe('202', () => {
  test('the command is in the journal before the answer, and the queue is told of it', async () => {
    const asked = customer()
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const {
      status,
      headers,
      body: accepted,
    } = await order({
      token: await edge.tokenFor(asked),
      headers: { traceparent },
    })
    expect(status).toBe(202)
    expect(accepted).toEqual({ id: expect.any(String), command: 'orders.place', state: 'accepted' })
    expect(headers.get('location')).toBe(`/v1/commands/${accepted.id}`)
    expect(headers.get('cache-control')).toBe('no-store')
    const [row] = await edge.sql`
      select type, input, state, actor_id, scopes, traceparent from journal.commands where id = ${String(accepted.id)}`
    expect(row).toMatchObject({ type: 'orders.place', input: body, state: 'accepted', actor_id: asked.id })
    expect(row?.scopes.split(' ')).toEqual([...asked.scopes])
    expect(row?.traceparent).toStartWith('00-4bf92f3577b34da6a3ce929d0e0e4736-')
    expect(row?.traceparent).toBe(headers.get('traceparent'))
    expect(edge.enqueued).toContainEqual({ id: String(accepted.id), type: 'orders.place', delayMs: 0 })
  })
  test('parameters of the address are fields of the input', async () => {
    const orderId = uuidv7()
    const { status, body: accepted } = await edge.ask('POST', `/v1/orders/${orderId}/cancel`, {
      token,
      key: uuidv7(),
      body: { reason: 'changed my mind' },
    })
    expect(status).toBe(202)
    const [row] = await edge.sql`select input from journal.commands where id = ${String(accepted.id)}`
    expect(row?.input).toEqual({ orderId, reason: 'changed my mind' })
  })
  test('a body with nothing required may be left out', async () => {
    const { status } = await edge.ask('POST', `/v1/orders/${uuidv7()}/cancel`, { token, key: uuidv7() })
    expect(status).toBe(202)
  })
  test('the same request with the same key is the same command, and says so', async () => {
    const key = uuidv7()
    const first = await order({ key })
    const told = edge.enqueued.length
    const again = await order({ key, body: { paymentMethod: 'pm_card_ok', lines: body.lines } })
    expect([again.status, again.body]).toEqual([202, first.body])
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
    expect(edge.enqueued.length).toBe(told)
  })
  test('a key in quotes and the same key bare are one key', async () => {
    const key = uuidv7()
    const first = await order({ key })
    expect((await order({ key: `"${key}"` })).body.id).toBe(first.body.id)
  })
  test('fifty times at once with the same key: one command', async () => {
    const before = await edge.countCommands()
    const key = uuidv7()
    const answers = await Promise.all(Array.from({ length: 50 }, () => order({ key })))
    expect(new Set(answers.map(answer => answer.status))).toEqual(new Set([202]))
    expect(new Set(answers.map(answer => answer.body.id)).size).toBe(1)
    expect(answers.filter(answer => !answer.headers.has('idempotency-replayed')).length).toBe(1)
    expect(await edge.countCommands()).toBe(before + 1)
  })
  test('a key belongs to one person and one operation', async () => {
    const key = uuidv7()
    const mine = await order({ key })
    const theirs = await order({ key, token: await edge.tokenFor(customer()) })
    const other = await edge.ask('POST', `/v1/orders/${uuidv7()}/cancel`, { token, key, body: {} })
    expect(new Set([mine.body.id, theirs.body.id, other.body.id]).size).toBe(3)
  })
  test('after a wait in vain: not settled yet', async () => {
    const { status, headers, body: accepted } = await order({ headers: { prefer: 'wait=1' } })
    expect([status, accepted.state]).toEqual([202, 'accepted'])
    expect(headers.get('preference-applied')).toBe('wait=1')
  })
})

describe('400', () => {
  test('malformed_json: truncated, not JSON, not UTF-8, unstorable', async () => {
    for (const text of [JSON.stringify(body).slice(0, -1), '{', 'lines=1', '{"lines":"\\u0000"}']) {
      const { status, body: problem } = await refused(order({ body: text }))
      expect([text, status, problem.code]).toEqual([text, 400, 'malformed_json'])
    }
  })
  test('body_too_deep', async () => {
    expect((await refused(order({ body: '['.repeat(40_000) }))).body.code).toBe('body_too_deep')
  })
  test('idempotency_key_missing', async () => {
    const { status, body: problem } = await refused(edge.ask('POST', '/v1/orders', { token, body }))
    expect([status, problem.code]).toEqual([400, 'idempotency_key_missing'])
  })
  test('idempotency_key_invalid', async () => {
    const { status, body: problem } = await refused(order({ key: 'x'.repeat(256) }))
    expect([status, problem.code]).toEqual([400, 'idempotency_key_invalid'])
  })
})

describe('401', () => {
  test('without a token, and with one that is not ours', async () => {
    for (const asked of [{ headers: {} }, { headers: { authorization: 'Bearer e30.e30.e30' } }]) {
      const answer = await refused(edge.ask('POST', '/v1/orders', { key: uuidv7(), body, ...asked }))
      expect([answer.status, answer.body.code]).toEqual([401, 'unauthenticated'])
      expect(answer.headers.get('www-authenticate')).toStartWith('Bearer realm="waybill"')
    }
  })
  test('comes before anything is said about the body', async () => {
    expect((await refused(edge.ask('POST', '/v1/orders', { body: 'garbage' }))).status).toBe(401)
  })
})

describe('403', () => {
  test('insufficient_scope names the scope', async () => {
    const { status, body: problem } = await refused(
      edge.ask('POST', '/v1/products', { token, key: uuidv7(), body: {} }),
    )
    expect([status, problem.code, problem.scope]).toEqual([403, 'insufficient_scope', 'catalog:write'])
  })
  test.each(['customer', 'merchant', 'operator'] as const)(
    'what a %s may ask for is what the scopes say',
    async role => {
      const person = { customer, merchant, operator }[role]()
      const held = await edge.tokenFor(person)
      for (const { name, http } of commands) {
        if (!http) continue
        const path = addressOf(http.path)
        const { status } = await refused(
          edge.ask(http.method, path, { token: held, key: uuidv7(), body: { nonsense: 1 } }),
        )
        expect([name, status]).toEqual([name, person.scopes.includes(http.scope) ? 422 : 403])
      }
    },
  )
})

describe('404', () => {
  test('an address that names something impossible', async () => {
    for (const id of ['1', 'nope', '%00', '..%2f..', uuidv7().toUpperCase()]) {
      const answer = await refused(
        edge.ask('POST', `/v1/orders/${id}/cancel`, { token, key: uuidv7(), body: {} }),
      )
      expect([id, answer.status, answer.body.code]).toEqual([id, 404, 'not_found'])
    }
  })
})

describe('413', () => {
  test('body_too_large, declared or not', async () => {
    const large = JSON.stringify({ ...body, note: 'x'.repeat(70_000) })
    const stream = new Blob([large]).stream()
    for (const asked of [
      { body: large, headers: { 'content-length': String(large.length) } },
      { body: stream },
    ]) {
      const { status, body: problem } = await refused(order(asked))
      expect([status, problem.code, problem.bytesMax]).toEqual([413, 'body_too_large', 65_536])
    }
  })
})

describe('415', () => {
  test('anything but JSON', async () => {
    for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x']) {
      const { status, body: problem } = await refused(order({ headers: { 'content-type': type } }))
      expect([type, status, problem.code]).toEqual([type, 415, 'unsupported_media_type'])
    }
  })
})

describe('422', () => {
  const errorsOf = async (wrong: unknown) => {
    const { status, body: problem } = await refused(order({ body: wrong }))
    expect([status, problem.code]).toEqual([422, 'validation_failed'])
    return (problem.errors as { pointer: string; detail: string }[]).map(({ pointer }) => pointer)
  }
  test('validation_failed names the field', async () => {
    expect(await errorsOf({ ...body, paymentMethod: 7 })).toEqual(['#/paymentMethod'])
    expect(await errorsOf({ ...body, coupon: 'X' })).toEqual(['#/coupon'])
    expect(await errorsOf({ ...body, lines: [{ sku: 'MUG', quantity: 0 }] })).toEqual(['#/lines/0/quantity'])
    expect(await errorsOf({ ...body, lines: [{ sku: 'MUG', quantity: '2' }] })).toEqual([
      '#/lines/0/quantity',
    ])
    expect(await errorsOf({ ...body, lines: [] })).toEqual(['#/lines'])
    expect((await errorsOf({})).sort()).toEqual(['#/lines', '#/paymentMethod'])
    expect(await errorsOf('[]')).toEqual(['#'])
    expect(await errorsOf('null')).toEqual(['#'])
  })
  test('validation_failed: a body cannot repeat a parameter of the address', async () => {
    const orderId = uuidv7()
    const { status, body: problem } = await refused(
      edge.ask('POST', `/v1/orders/${orderId}/cancel`, { token, key: uuidv7(), body: { orderId } }),
    )
    expect([status, problem.errors]).toEqual([
      422,
      [{ pointer: '#/orderId', detail: 'Unknown field: it is part of the address.' }],
    ])
  })
  test('every command refuses an unknown field, and names it', async () => {
    const held = await edge.tokenFor(operator())
    for (const { name, http } of commands) {
      if (!http) continue
      const path = addressOf(http.path)
      const asked = edge.ask(http.method, path, { token: held, key: uuidv7(), body: { nonsense: 1 } })
      const { status, body: problem } = await refused(asked)
      expect([name, status]).toEqual([name, 422])
      expect(problem.errors).toContainEqual({ pointer: '#/nonsense', detail: 'Unknown field.' })
    }
  })
  test('idempotency_key_reused: the same key for another request, also ten at once', async () => {
    const key = uuidv7()
    await order({ key })
    const other = { ...body, lines: [{ sku: 'MUG', quantity: 3 }] }
    const answers = await Promise.all(Array.from({ length: 10 }, () => refused(order({ key, body: other }))))
    for (const { status, body: problem } of answers)
      expect([status, problem.code]).toEqual([422, 'idempotency_key_reused'])
  })
  test('a request that was refused leaves its key unused', async () => {
    const key = uuidv7()
    await refused(order({ key, body: {} }))
    const { status, headers } = await order({ key })
    expect([status, headers.get('idempotency-replayed')]).toEqual([202, null])
  })
})

test('no refusal uses a member that problem documents define themselves', () => {
  const own = ['type', 'title', 'status', 'detail', 'instance', 'code', 'errors', 'requestId', 'commandId']
  for (const { name, refusals } of commands)
    for (const [code, { detail }] of Object.entries(refusals))
      expect([
        name,
        code,
        Object.keys(detail?.properties ?? {}).filter(member => own.includes(member)),
      ]).toEqual([name, code, []])
  expect(place.refusals.out_of_stock.detail.properties).toHaveProperty('shortages')
})

/** The path with something in its braces that could be there. */
function addressOf(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => (name.endsWith('Id') ? uuidv7() : 'SOME-CODE'))
}
