import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { migrate } from '../../db/migrate.ts'
import { charge, refund, rollUpLedger } from '../../queues/payments.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { broken } from '../../test/trade.ts'
import { paymentsService } from './index.ts'
import { readBalances, reconcile } from './ledger.ts'
import { trialBalanceOf } from './posting.ts'

let kernel: TestKernel
beforeAll(async () => {
  kernel = await testKernel({
    services: [paymentsService],
    env: { PAYMENT_TIMEOUT_MS: '250', PAYMENT_INQUIRIES_MS: `20,50,100${',400'.repeat(20)}` },
  })
})
afterAll(() => kernel.stop())

const pay = async (amountMinor: number, { card = 'pm_card_ok', currency = 'EUR' } = {}) => {
  const orderId = uuidv7()
  const input = { orderId, attempt: 1, customerId: uuidv7(), amountMinor, currency, paymentMethod: card }
  const { id } = await kernel.run(charge, input)
  return { paymentId: id, orderId }
}
const giveBack = async (paymentId: string, amountMinor: number, requestId = uuidv7()) => {
  const { id } = await kernel.run(refund, { paymentId, requestId, amountMinor, reason: 'a test' })
  return id
}
const postedFor = async (paymentId: string) => [
  ...(await kernel.sql`
    select kind, source_id as "sourceId", order_id as "orderId", debit, credit, amount_minor as "amountMinor", currency
    from payments.transfers where payment_id = ${paymentId} order by seq`),
]

describe('what moves is posted, once', () => {
  test('a capture is a debit of the provider and a credit of sales', async () => {
    const { paymentId, orderId } = await pay(1_999)
    expect(await postedFor(paymentId)).toEqual([
      {
        kind: 'capture',
        sourceId: paymentId,
        orderId,
        debit: 'provider:simulator',
        credit: 'sales',
        amountMinor: 1_999,
        currency: 'EUR',
      },
    ])
  })
  test('a refund is a debit of refunds and a credit of the provider, each part by itself', async () => {
    const { paymentId, orderId } = await pay(1_000, { currency: 'USD' })
    const refunds = [await giveBack(paymentId, 300), await giveBack(paymentId, 700)]
    const accounts = { debit: 'refunds', credit: 'provider:simulator' }
    const shared = { kind: 'refund', orderId, ...accounts, currency: 'USD' }
    expect((await postedFor(paymentId)).slice(1)).toEqual([
      { ...shared, sourceId: refunds[0], amountMinor: 300 },
      { ...shared, sourceId: refunds[1], amountMinor: 700 },
    ])
  })
  test('a silent provider is posted when it is known what it did', async () => {
    const { paymentId } = await pay(500, { card: 'pm_card_timeout' })
    expect(await postedFor(paymentId)).toMatchObject([{ kind: 'capture', amountMinor: 500 }])
  })
  test('what was declined, refused, or costs nothing is not posted', async () => {
    expect(await postedFor((await pay(500, { card: 'pm_card_declined' })).paymentId)).toEqual([])
    expect(await postedFor((await pay(0)).paymentId)).toEqual([])
    const { paymentId } = await pay(500)
    await giveBack(paymentId, 501)
    expect(await postedFor(paymentId)).toHaveLength(1)
  })
  test('a charge and a refund that are asked for twice are posted once', async () => {
    const { paymentId, orderId } = await pay(500)
    const input = { orderId, attempt: 1, customerId: uuidv7(), amountMinor: 500, currency: 'EUR' }
    await kernel.run(charge, { ...input, paymentMethod: 'pm_card_ok' })
    const requestId = uuidv7()
    await giveBack(paymentId, 500, requestId)
    await giveBack(paymentId, 500, requestId)
    expect(await postedFor(paymentId)).toMatchObject([{ kind: 'capture' }, { kind: 'refund' }])
    expect(await broken(kernel.sql)).toEqual([])
  })
})

test('payments.roll-up-ledger: twice is once, and changes nothing that is read', async () => {
  await pay(700)
  const before = await readBalances(kernel.sql)
  for (let n = 0; n < 2; n++) expect((await kernel.run(rollUpLedger, {})).state).toBe('succeeded')
  expect([...(await readBalances(kernel.sql))]).toEqual([...before])
  expect(await broken(kernel.sql)).toEqual([])
})

test('what a release from before the ledger captures after the migration is found, and posted once', async () => {
  const paymentId = uuidv7()
  await kernel.sql`insert into payments.payments (id, order_id, attempt, customer_id, amount_minor, currency,
      payment_method, status, captured_minor, provider, created_at)
    values (${paymentId}, ${uuidv7()}, 1, ${uuidv7()}, 350, 'EUR', 'pm_card_ok', 'captured', 350, 'simulator', now())`
  const differences = async () => (await reconcile(kernel.sql, { cursor: null, limit: 1_000 })).items
  expect(await differences()).toMatchObject([{ paymentId, capturedMinor: 350, postedCapturedMinor: 0 }])
  const posted = async () => (await kernel.sql`select payments.post_missing() as n`)[0]?.n
  expect([await posted(), await posted()]).toEqual([1, 0])
  expect(await postedFor(paymentId)).toMatchObject([{ kind: 'capture', amountMinor: 350 }])
  expect(await differences()).toEqual([])
  expect(await broken(kernel.sql)).toEqual([])
})

test('payments from before the ledger are posted by its migration', async () => {
  const { paymentId } = await pay(900)
  await giveBack(paymentId, 200)
  await pay(300, { card: 'pm_card_declined' })
  await kernel.idle()
  const posted = () => kernel.sql`
    select kind, source_id, payment_id, order_id, debit, credit, amount_minor, currency from payments.transfers
    order by source_id, kind`
  /** The provider of that time was in our own tables. */
  const asThen = <T>(books: T): T =>
    JSON.parse(JSON.stringify(books).replaceAll('provider:simulator', 'provider:sandbox'))
  const before = asThen([...(await posted())])
  const balances = asThen(trialBalanceOf(await readBalances(kernel.sql)))
  expect(before.length).toBeGreaterThan(2)

  await kernel.services.stop(1_000) // nobody settles while the ledger is away
  await kernel.sql.unsafe(`drop view payments.account_balances, payments.store_statements, payments.store_entries;
    drop function payments.rebuild_balances, payments.post_missing; drop table payments.transfers, payments.balances, payments.roll_up;
    drop type payments.transfer_kind`)
  await kernel.sql`delete from public.waybill_migrations where name ~ 'ledger(_parts|_statements)?.sql$'`
  expect(await migrate(kernel.database.url)).toEqual([
    '0010_ledger.sql',
    expect.stringContaining('_ledger_parts.sql'),
    expect.stringContaining('_ledger_statements.sql'),
  ])
  const backfilled = kernel.database.sql('payments')
  expect([...(await posted())]).toEqual(before)
  expect(trialBalanceOf(await readBalances(backfilled))).toEqual(balances)
  expect((await kernel.sql`select from payments.balances`).count).toBeGreaterThan(0) // however many there were
  expect(await broken(kernel.sql)).toEqual([])
})
