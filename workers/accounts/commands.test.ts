import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { decodeJwt } from 'jose'
import { v7 as newId } from 'uuid'
import { assignRoles } from '../../queues/accounts.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { scopesOf } from './domain.ts'
import { accountsService } from './index.ts'

let kernel: TestKernel
beforeAll(async () => {
  kernel = await testKernel({ services: [accountsService] })
})
afterAll(() => kernel.stop())

async function post(path: string, body: unknown): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' }
  const request = new Request(`http://accounts${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  })
  return (await (await kernel.services.routesOf('accounts').handle(request)).json()) as Record<
    string,
    unknown
  >
}
async function newcomer() {
  const credentials = { email: `${newId()}@shop.test`, password: 'correct horse' }
  const { id } = await post('/register', { ...credentials, name: 'Ann' })
  return { accountId: String(id), credentials }
}
const scopesIn = (token: unknown) => String(decodeJwt(String(token)).scope).split(' ')

describe('accounts.assign-roles', () => {
  test('gives the next tokens other scopes, by login and by refresh', async () => {
    const { accountId, credentials } = await newcomer()
    const before = await post('/login', credentials)
    expect(scopesIn(before.accessToken)).toEqual([...scopesOf(['customer'])])
    const settled = await kernel.run(assignRoles, { accountId, roles: ['merchant'] })
    expect(settled).toMatchObject({ state: 'succeeded', result: { accountId, roles: ['merchant'] } })
    const merchant = [...scopesOf(['merchant'])]
    expect(scopesIn((await post('/login', credentials)).accessToken)).toEqual(merchant)
    expect(scopesIn((await post('/refresh', { refreshToken: before.refreshToken })).accessToken)).toEqual(
      merchant,
    )
  })
  test('twice is once', async () => {
    const { accountId } = await newcomer()
    const first = await kernel.run(assignRoles, { accountId, roles: ['merchant'] })
    const second = await kernel.run(assignRoles, { accountId, roles: ['merchant'] })
    expect(second.result).toEqual(first.result)
    const rows = await kernel.sql`select roles from accounts.accounts where id = ${accountId}`
    expect(rows.map(row => row.roles)).toEqual([['merchant']])
  })
  test('is rejected for an account that does not exist', async () => {
    const settled = await kernel.run(assignRoles, { accountId: newId(), roles: ['merchant'] })
    expect(settled).toMatchObject({ state: 'rejected', result: { code: 'account_not_found' } })
  })
})
