import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { customer, merchant, operator, type Person, type TestEdge, testEdge } from './edge-harness.ts'

let edge: TestEdge
beforeAll(async () => {
  edge = await testEdge()
})
afterAll(() => edge.stop())

const everybody: Readonly<Record<string, () => Person>> = { customer, merchant, operator }

/** Asks with nothing that could be carried out: whoever is let in is told what else is wrong. */
const knock = async (
  { method, path }: { readonly method: string; readonly path: string },
  token?: string,
) => {
  const address = path.replaceAll(/\{\w+\}/g, uuidv7())
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const answer = await edge.ask(method, address, {
    ...(token !== undefined && { token }),
    ...(hasBody && { key: uuidv7(), body: { nonsense: 1 } }),
  })
  return answer.status
}

describe('every operation that is described', () => {
  test('401 for whoever says not who they are, unless it is public', async () => {
    for (const operation of edge.edge.operations) {
      const status = await knock(operation)
      expect([operation.id, status === 401]).toEqual([operation.id, operation.access !== 'public'])
    }
  })
  test.each(Object.keys(everybody))('403 for a %s without its scope, and only then', async role => {
    const person = everybody[role]?.() ?? customer()
    const token = await edge.tokenFor(person)
    for (const operation of edge.edge.operations) {
      const { id, access } = operation
      if (access === 'public') continue
      const may = access === 'signed-in' || person.scopes.includes(access)
      expect([id, (await knock(operation, token)) !== 403]).toEqual([id, may])
    }
  })
  test('what customers may ask for, and nothing else', () => {
    const { scopes } = customer()
    const open = edge.edge.operations.filter(
      ({ access }) => access !== 'public' && (access === 'signed-in' || scopes.includes(access)),
    )
    expect(open.map(({ id }) => id).sort()).toEqual([
      'accounts.get',
      'commands.get',
      'commands.story',
      'media.convert',
      'media.download',
      'media.get-conversion',
      'media.upload',
      'orders.cancel',
      'orders.get',
      'orders.get-quote',
      'orders.list',
      'orders.pay',
      'orders.place',
      'orders.quote',
      'orders.request-return',
      'payments.get',
      'payments.list',
      'shipping.find-rates',
      'shipping.get-shipment',
      'shipping.list-shipments',
    ])
  })
})
