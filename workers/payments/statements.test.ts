import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { capture, observe, recordPayout, refund, rollUpLedger } from '../../queues/payments.ts'
import { type TestDatabase, testDatabase } from '../../test/harness.ts'
import { dump } from '../../test/trade.ts'
import { serviceAt } from './operations.fixture.ts'
import { capturePostings, type Posted, refundPostings } from './posting.ts'
import { scriptedProvider } from './scripted.fixture.ts'
import { readStatement } from './statements.ts'

let database: TestDatabase
let sql: Sql
let owner: Sql
beforeAll(async () => {
  database = await testDatabase()
  sql = database.sql('payments')
  owner = database.sql()
})
afterAll(() => database.drop())

const broken = async () => {
  const rows = await owner`
    select what from invariants.statements('2020-01-01') what union all select what from invariants.splits('2020-01-01') what
    union all select what from invariants.ledger('2020-01-01') what union all select what from invariants.balances('2020-01-01') what`
  return rows.map(each => each.what)
}

/** A store that sold something for 10.00, of which 1.50 are tax and 0.50 commission. */
async function sold() {
  const scripted = scriptedProvider()
  const shop = serviceAt(sql, scripted.provider)
  const storeId = uuidv7()
  const split = [
    { account: `store:${storeId}`, amountMinor: 800 },
    { account: 'tax:DE', amountMinor: 150 },
    { account: 'commission', amountMinor: 50 },
  ]
  const { paymentId } = await shop.charge({ storeId, split })
  return {
    storeId,
    paymentId,
    scripted,
    capture: (amountMinor: number) =>
      shop.run<typeof capture>('payments.capture', { paymentId, amountMinor }),
    refund: (amountMinor: number) =>
      shop.run<typeof refund>('payments.refund', { paymentId, amountMinor, reason: 'a test' }),
    observe: () => shop.run<typeof observe>('payments.observe', { paymentId }),
    payOut: (amountMinor: number, given = {}) =>
      shop.run<typeof recordPayout>(
        'payments.record-payout',
        { storeId, amountMinor, currency: 'EUR', reference: 'SEPA 1' },
        given,
      ),
    rollUp: () => shop.run<typeof rollUpLedger>('payments.roll-up-ledger', {}),
    statement: () => readStatement(sql, storeId, 'EUR'),
  }
}

describe('the statement of a store', () => {
  test('says what was taken, went back and is owed, whole or in parts, rolled up or not', async () => {
    const store = await sold()
    const nothing = {
      takenMinor: 0,
      refundedMinor: 0,
      disputedMinor: 0,
      commissionMinor: 0,
      paidOutMinor: 0,
      owedMinor: 0,
    }
    expect(await store.statement()).toMatchObject(nothing)
    await store.capture(333)
    expect(await store.statement()).toMatchObject({
      ...nothing,
      takenMinor: 266,
      commissionMinor: 17,
      owedMinor: 266,
    })
    await store.rollUp()
    await store.capture(667)
    expect(await store.statement()).toMatchObject({
      ...nothing,
      takenMinor: 800,
      commissionMinor: 50,
      owedMinor: 800,
    })
    await store.refund(333)
    await store.rollUp()
    await store.refund(667)
    expect(await store.statement()).toMatchObject({ ...nothing, takenMinor: 800, refundedMinor: 800 })
    expect(await readStatement(sql, store.storeId, 'JPY')).toMatchObject(nothing)
    expect(await broken()).toEqual([])
  })
  test('bears its part of a dispute that was lost', async () => {
    const store = await sold()
    await store.capture(1_000)
    const dispute = { reference: 'dp_1', amountMinor: 1_000, status: 'lost', reason: 'fraudulent' } as const
    store.scripted.kept(store.paymentId).disputes.push(dispute)
    await store.observe()
    expect(await store.statement()).toMatchObject({
      takenMinor: 800,
      disputedMinor: 800,
      commissionMinor: 0,
      owedMinor: 0,
    })
    expect(await broken()).toEqual([])
  })
  test('is right after a dump was restored on another server, before and after the sums are made anew', async () => {
    const store = await sold()
    await store.capture(1_000)
    await store.rollUp()
    const before = await store.statement()
    await owner`update payments.roll_up set horizon = '1000000000000', stores_horizon = '1000000000000'`
    expect(await store.statement()).toEqual(before)
    await owner`select payments.rebuild_balances()`
    expect(await store.statement()).toEqual(before)
    expect(await broken()).toEqual([])
  })
})

describe('payments.record-payout', () => {
  test('is never more than is owed, however many come at once', async () => {
    const store = await sold()
    await store.capture(1_000)
    const all = await Promise.all(Array.from({ length: 12 }, () => store.payOut(90)))
    expect(all.filter(each => each.kind === 'done')).toHaveLength(8)
    expect(all.find(each => each.kind === 'rejected')).toMatchObject({ code: 'payout_exceeds_owed' })
    expect(await store.statement()).toMatchObject({ paidOutMinor: 720, owedMinor: 80 })
    expect(await store.payOut(81)).toMatchObject({ code: 'payout_exceeds_owed', detail: { owedMinor: 80 } })
    expect(await broken()).toEqual([])
  })
  test('twice is once', async () => {
    const store = await sold()
    await store.capture(1_000)
    const id = uuidv7()
    const first = await store.payOut(500, { id })
    const before = await dump(owner)
    expect(await store.payOut(500, { id })).toEqual(first)
    expect(await dump(owner)).toEqual(before)
  })
})

test('whatever is captured and goes back part by part, every part ends where it should, to the minor unit', () => {
  const amounts = fc.array(fc.integer({ min: 0, max: 2 ** 40 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(amounts, fc.array(fc.nat(1_000), { maxLength: 8 }), (parts, shares) => {
      const split = parts.map((amountMinor, at) => ({ account: `tax:A${at}`, amountMinor }))
      const total = parts.reduce((sum, each) => sum + each, 0)
      const posted: Posted[] = []
      for (const kind of ['capture', 'refund'] as const) {
        let left = total
        for (const share of [...shares, 1_000]) {
          const amountMinor = share === 1_000 ? left : Math.floor((left * share) / 1_000)
          const post = kind === 'capture' ? capturePostings : refundPostings
          const postings = post({ provider: 'scripted', split, posted }, amountMinor)
          expect(postings.reduce((sum, each) => sum + each.amountMinor, 0)).toBe(amountMinor)
          posted.push(...postings.map(({ part, amountMinor: minor }) => ({ part, kind, amountMinor: minor })))
          left -= amountMinor
        }
        for (const [at, amountMinor] of parts.entries()) {
          const ofPart = posted.filter(each => each.part === at && each.kind === kind)
          expect(ofPart.reduce((sum, each) => sum + each.amountMinor, 0)).toBe(amountMinor)
        }
      }
    }),
  )
})
