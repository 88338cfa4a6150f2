import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { createClient } from '../client/client.ts'
import { charge, refund } from '../queues/payments.ts'
import { paymentsService } from '../workers/payments/index.ts'
import { customer, merchant, operator, type TestEdge, testEdge } from './edge-harness.ts'
import { type TestKernel, testKernel } from './harness.ts'

let kernel: TestKernel
let edge: TestEdge
let token: string
const paid: string[] = []
beforeAll(async () => {
  kernel = await testKernel({ services: [paymentsService] })
  edge = await testEdge({
    database: kernel.database,
    upstreams: { payments: kernel.services.routesOf('payments') },
  })
  token = await edge.tokenFor(operator())
  for (const amountMinor of [1_000, 250, 400]) paid.push(await pay(amountMinor, 'EUR'))
  paid.push(await pay(70, 'JPY'))
  await kernel.run(refund, {
    paymentId: paid[0] ?? '',
    requestId: uuidv7(),
    amountMinor: 300,
    reason: 'a test',
  })
})
afterAll(async () => {
  await edge.stop()
  await kernel.stop()
})

const pay = async (amountMinor: number, currency: string): Promise<string> => {
  const order = { orderId: uuidv7(), attempt: 1, customerId: uuidv7() }
  const { id } = await kernel.run(charge, { ...order, amountMinor, currency, paymentMethod: 'pm_card_ok' })
  return id
}
const read = (path: string) => edge.ask('GET', `/v1/ledger/${path}`, { token })
const paths = ['trial-balance', 'accounts/sales/transfers', 'reconciliation']

describe('who may read the books', () => {
  test('403: customers and merchants may not', async () => {
    for (const person of [customer(), merchant()]) {
      const token = await edge.tokenFor(person)
      for (const path of paths) {
        const { status, body } = await edge.ask('GET', `/v1/ledger/${path}`, { token })
        expect([path, status, body.code]).toEqual([path, 403, 'insufficient_scope'])
      }
    }
  })
  test('401: nor does who is not signed in', async () => {
    for (const path of paths) expect((await edge.ask('GET', `/v1/ledger/${path}`)).status).toBe(401)
  })
})

describe('an operator', () => {
  test('reads the trial balance, whose debits and credits are equal in every currency', async () => {
    const { status, headers, body } = await read('trial-balance')
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    const account = (account: string, kind: string, debitsMinor: number, creditsMinor: number) => ({
      account,
      class: kind,
      debitsMinor,
      creditsMinor,
      balanceMinor: debitsMinor - creditsMinor,
    })
    expect(body).toEqual({
      currencies: [
        {
          currency: 'EUR',
          debitsMinor: 1_950,
          creditsMinor: 1_950,
          accounts: [
            account('provider:simulator', 'asset', 1_650, 300),
            account('refunds', 'income', 300, 0),
            account('sales', 'income', 0, 1_650),
          ],
        },
        {
          currency: 'JPY',
          debitsMinor: 70,
          creditsMinor: 70,
          accounts: [account('provider:simulator', 'asset', 70, 0), account('sales', 'income', 0, 70)],
        },
      ],
    })
  })

  test('reads the statement of an account, newest first, page by page', async () => {
    const all = (await read('accounts/provider:simulator/transfers')).body
    expect(all.nextCursor).toBeNull()
    expect(all.items).toMatchObject([
      {
        kind: 'refund',
        debit: 'refunds',
        credit: 'provider:simulator',
        amountMinor: 300,
        paymentId: paid[0],
      },
      { kind: 'capture', debit: 'provider:simulator', credit: 'sales', amountMinor: 70, currency: 'JPY' },
      { kind: 'capture', amountMinor: 400, sourceId: paid[2] },
      { kind: 'capture', amountMinor: 250 },
      { kind: 'capture', amountMinor: 1_000 },
    ])
    const pages: unknown[] = []
    let cursor: unknown = null
    do {
      const query = `limit=2${cursor === null ? '' : `&cursor=${cursor}`}`
      const { items, nextCursor } = (await read(`accounts/provider%3Asimulator/transfers?${query}`)).body
      pages.push(...(items as unknown[]))
      cursor = nextCursor
    } while (cursor !== null)
    expect(pages).toEqual(all.items as unknown[])
    expect((await read('accounts/refunds/transfers')).body.items).toHaveLength(1)
    expect((await read('accounts/provider:elsewhere/transfers')).body.items).toEqual([])
  })
  test('404: of an account that is not in the chart', async () => {
    for (const account of ['cash', 'Sales', 'sales:', 'provider:simulator:eur'])
      expect((await read(`accounts/${account}/transfers`)).status).toBe(404)
  })
  test('400: a cursor that no page gave', async () => {
    for (const path of [
      'accounts/sales/transfers?cursor=x',
      'reconciliation?cursor=x',
      'reconciliation?limit=5',
    ])
      expect([path, (await read(path)).body.code]).toEqual([path, 'invalid_parameter'])
  })

  test('finds nothing to reconcile while all is well, and then exactly what is not', async () => {
    expect((await read('reconciliation')).body).toEqual({
      checked: 4,
      items: [],
      unmatchedEvents: 0,
      nextCursor: null,
    })
    const [gone] =
      await kernel.sql`delete from payments.transfers where source_id = ${paid[1] ?? ''} returning order_id`
    expect((await read('reconciliation')).body.items).toEqual([
      {
        paymentId: paid[1],
        orderId: gone?.order_id,
        currency: 'EUR',
        capturedMinor: 250,
        refundedMinor: 0,
        postedCapturedMinor: 0,
        postedRefundedMinor: 0,
        provider: null,
      },
    ])
  })
  test('looks at so many payments at a time, and goes on from there', async () => {
    await kernel.sql`
      insert into payments.payments
        (id, order_id, attempt, customer_id, amount_minor, currency, payment_method, status, decline_code, created_at)
      select gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 5, 'EUR', 'pm_card_declined', 'declined', 'no', now()
      from generate_series(1, 4500)`
    const ops = createClient({
      baseUrl: 'http://edge.test',
      token,
      fetch: async (url, init) => edge.edge.fetch(new Request(url, init)),
    })
    const seen: { readonly checked: number; readonly wrong: readonly string[] }[] = []
    let cursor: string | null = null
    do {
      const page = await ops.ledger.reconcile(cursor === null ? {} : { cursor })
      seen.push({ checked: page.checked, wrong: page.items.map(({ paymentId }) => paymentId) })
      cursor = page.nextCursor
    } while (cursor !== null)
    expect(seen.map(({ checked }) => checked)).toEqual([2_000, 2_000, 504])
    expect(seen.flatMap(({ wrong }) => wrong)).toEqual([paid[1] ?? ''])
    expect((await ops.ledger.listTransfers('provider:simulator', { limit: 1 })).items).toHaveLength(1)
    expect((await ops.ledger.trialBalance()).currencies).toHaveLength(2)
  })
})
