import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { commands, findCommand } from '../queues/registry.ts'
import { type TestEdge, testEdge } from '../test/edge-harness.ts'
import { problemCodesOf } from './openapi.ts'
import type { Operation } from './operation.ts'
import { problems } from './problems.ts'

interface Described {
  readonly operationId: string
  readonly security: readonly { readonly token?: readonly string[] }[]
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: Record<string, unknown> }>> }
  readonly responses: Readonly<Record<string, { readonly content?: Record<string, { schema: unknown }> }>>
}
interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

let edge: TestEdge
let document: Document
beforeAll(async () => {
  edge = await testEdge()
  document = (await edge.ask('GET', '/openapi.json')).body as unknown as Document
})
afterAll(() => edge.stop())

const describedAs = ({ method, path }: Operation) => document.paths[path]?.[method.toLowerCase()]

describe('/openapi.json', () => {
  test('is a valid OpenAPI 3.1 document', async () => {
    const validator = new Validator()
    const result = await validator.validate(structuredClone(document) as never)
    expect(result.errors ?? []).toEqual([])
    expect(result.valid).toBe(true)
    expect(validator.version).toBe('3.1')
  })
  test('every reference leads somewhere, and no schema keeps an id of its own', () => {
    const text = JSON.stringify(document)
    for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g))
      expect(document.components.schemas).toHaveProperty(name)
    expect(text).not.toContain('"$id"')
  })
  test('what is mounted is what is recorded, and what is recorded is what is described', () => {
    const mounted = edge.edge.routes.filter(({ method }) => method !== 'ALL')
    const recorded = edge.edge.operations.map(
      ({ method, path }) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    )
    expect(mounted.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(recorded.sort())
    const described = Object.values(document.paths).flatMap(path => Object.values(path))
    expect(described.map(each => each.operationId).sort()).toEqual(
      edge.edge.operations.map(each => each.id).sort(),
    )
    expect(new Set(described.map(each => each.operationId)).size).toBe(described.length)
  })
  test('whoever is not public says so by scope', () => {
    const open = edge.edge.operations.filter(each => each.access === 'public').map(each => each.id)
    expect(open.sort()).toEqual([
      'accounts.register',
      'catalog.get-product',
      'catalog.get-store',
      'catalog.list-prices',
      'catalog.list-products',
      'catalog.list-stores',
      'documentation.openapi',
      'documentation.problem',
      'documentation.problems',
      'health.live',
      'health.ready',
      'payments.receive-webhook',
      'sessions.keys',
      'sessions.login',
      'sessions.refresh',
      'shipping.receive-webhook',
    ])
    for (const operation of edge.edge.operations) {
      const { access } = operation
      const security = access === 'public' ? [] : [{ token: access === 'signed-in' ? [] : [access] }]
      expect([operation.id, describedAs(operation)?.security]).toEqual([operation.id, security])
    }
  })
})

describe('a command', () => {
  const routed = commands.filter(each => each.http)

  test('is described with its key, its input, 202, 200 and every refusal', () => {
    expect(routed.length).toBeGreaterThan(5)
    for (const { name, refusals, input } of routed) {
      const operation = edge.edge.operations.find(each => each.id === name)
      const described = operation && describedAs(operation)
      if (!described) throw new Error(`${name} is not described`)
      expect(described.parameters).toContainEqual(
        expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: true }),
      )
      const ofBody = described.requestBody ? ['415'] : []
      expect(Object.keys(described.responses)).toEqual(
        expect.arrayContaining(['200', '202', '400', '401', '403', '422', '500', '503', ...ofBody]),
      )
      for (const [code, { status }] of Object.entries(refusals))
        expect(JSON.stringify(described.responses[status])).toContain(`{"const":"${code}"}`)
      const inPath = described.parameters.filter(each => each.in === 'path').map(each => each.name)
      const inBody = Object.keys(
        (described.requestBody?.content['application/json']?.schema.properties ?? {}) as object,
      )
      expect([...inPath, ...inBody].sort()).toEqual(Object.keys(input.properties).sort())
    }
  })
  test('carries the schema of its output', () => {
    const described = document.paths['/v1/orders']?.post
    expect(JSON.stringify(described?.responses[200])).toContain('totalMinor')
    expect(findCommand('orders.place')?.output.properties).toHaveProperty('totalMinor')
  })
})

describe('problems', () => {
  test('every type that can be answered is a page', async () => {
    const codes = new Set<string>(Object.keys(problems))
    for (const operation of edge.edge.operations) {
      for (const code of problemCodesOf(operation)) codes.add(code)
      for (const code of Object.keys(operation.refusals ?? {})) codes.add(code)
    }
    const index = (await edge.ask('GET', '/problems')).body.text
    for (const code of codes) {
      const { status, headers, body } = await edge.ask('GET', `/problems/${code}`)
      expect([code, status, headers.get('content-type')]).toEqual([code, 200, 'text/html; charset=utf-8'])
      expect(body.text).toContain(`<h1>${code}</h1>`)
      expect(index).toContain(`href="/problems/${code}"`)
    }
  })
  test('an unknown code is 404', async () => {
    for (const code of ['nope', 'toString', '__proto__', '%3Cscript%3E'])
      expect([code, (await edge.ask('GET', `/problems/${code}`)).status]).toEqual([code, 404])
  })
})
