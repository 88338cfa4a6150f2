import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { v7 as uuidv7 } from 'uuid'
import { operator, type TestEdge, testEdge } from './edge-harness.ts'

let edge: TestEdge
let token: string
let responses: ReadonlyMap<string, readonly string[]>
beforeAll(async () => {
  edge = await testEdge()
  token = await edge.tokenFor(operator())
  const { body } = await edge.ask('GET', '/openapi.json')
  const paths = Object.values(
    body.paths as Record<string, Record<string, { operationId: string; responses: object }>>,
  )
  responses = new Map(
    paths.flatMap(path => Object.values(path)).map(each => [each.operationId, Object.keys(each.responses)]),
  )
})
afterAll(() => edge.stop())

const word = fc.oneof(
  fc.constantFrom(
    'sku',
    'lines',
    'quantity',
    'paymentMethod',
    'email',
    'orderId',
    'options',
    'openingHours',
    'currency',
    '__proto__',
    'MUG',
    'pm_card_ok',
  ),
  fc.string({ unit: 'binary' }),
)
const leaf = fc.oneof(word, fc.double(), fc.maxSafeInteger(), fc.boolean(), fc.constant(null))
const { tree } = fc.letrec(tie => ({
  tree: fc.oneof(
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(word, tie('tree'), { maxKeys: 4 }),
  ),
}))
const text = fc.oneof(
  tree.map(value => JSON.stringify(value)),
  tree.map(value => JSON.stringify(value).slice(0, -1)),
  fc.string({ unit: 'binary' }),
)
const asked = fc.record({
  operation: fc.nat(),
  parameter: fc.oneof(
    fc.constant(uuidv7()),
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constantFrom('.', '..', '%00'),
  ),
  query: fc.oneof(fc.constant(''), fc.string({ unit: 'binary' })),
  body: text,
  key: fc.oneof(fc.uuid(), fc.string({ minLength: 1, maxLength: 300 })),
  type: fc.constantFrom('application/json', 'text/plain', 'video/mp4', ''),
  range: fc.constantFrom('', 'bytes=0-', 'bytes=5-1', 'lines=1'),
})

test('whatever is sent, the answer is one that OpenAPI names, and never a fault of ours', async () => {
  const { operations } = edge.edge
  await fc.assert(
    fc.asyncProperty(asked, async ({ operation: at, parameter, query, body, key, type, range }) => {
      const operation = operations[at % operations.length]
      if (!operation) throw new Error('there is no operation')
      const path = operation.path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(parameter.toWellFormed()))
      const address = `${path}${query === '' ? '' : `?${encodeURI(query.toWellFormed()).replaceAll('#', '')}`}`
      const answer = await edge.ask(operation.method, address, {
        token,
        ...(operation.method !== 'GET' && { body }),
        headers: {
          'idempotency-key': key.replaceAll(/[^\x20-\x7e]/g, '').trim() || 'k',
          ...(type !== '' && { 'content-type': type }),
          ...(range !== '' && { range }),
        },
      })
      // `.` and `..` lead to another address, which may not be there.
      const elsewhere = parameter === '.' || parameter === '..' ? ['404', '405'] : []
      expect([...(responses.get(operation.id) ?? []), ...elsewhere]).toContain(String(answer.status))
      expect([500, 502]).not.toContain(answer.status)
      if (answer.status >= 400 && operation.id !== 'health.ready')
        expect(answer.body).toMatchObject({ status: answer.status, code: expect.any(String) })
    }),
    { numRuns: 2_000 },
  )
})
