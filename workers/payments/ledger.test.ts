import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { Tx } from '../../db/transaction.ts'
import { type TestDatabase, testDatabase } from '../../test/harness.ts'
import { readBalances, rollUp } from './ledger.ts'
import type { AccountSums } from './posting.ts'

/** The ledger alone: nobody is at work on this database but the test. */
let database: TestDatabase
let sql: Sql
let owner: Sql
beforeAll(async () => {
  database = await testDatabase()
  sql = database.sql('payments')
  owner = database.sql()
})
afterAll(() => database.drop())

const post = (
  at: Sql | Tx,
  {
    kind = 'capture',
    amountMinor = 5,
    sourceId = uuidv7(),
    debit = 'provider:simulator',
    credit = 'sales',
  } = {},
) => at`
  insert into payments.transfers (kind, source_id, payment_id, order_id, debit, credit, amount_minor, currency)
  values (${kind}, ${sourceId}, ${sourceId}, ${uuidv7()}, ${debit}, ${credit}, ${amountMinor}, 'EUR')`
const refund = (at: Sql | Tx, amountMinor: number) =>
  post(at, { kind: 'refund', amountMinor, debit: 'refunds', credit: 'provider:simulator' })

/** What is read, and what it must be: both in one snapshot. */
const compare = () =>
  sql.begin('isolation level repeatable read read only', async tx => ({
    read: await readBalances(tx as unknown as Sql),
    entries: await tx<AccountSums[]>`
      select account, currency, sum(debit_minor)::bigint as "debitsMinor", sum(credit_minor)::bigint as "creditsMinor"
      from payments.transfers t cross join lateral (
        values (t.debit, t.amount_minor, 0), (t.credit, 0, t.amount_minor)
      ) as side(account, debit_minor, credit_minor)
      group by 1, 2 order by 2, 1`,
  }))
async function expectSound(): Promise<readonly AccountSums[]> {
  const { read, entries } = await compare()
  expect([...read]).toEqual([...entries])
  return read
}
const rollUpNow = (limit = 1_000) => sql.begin(tx => rollUp(tx, limit))
const tailLength = async () => {
  const [row] = await sql<{ n: number }[]>`
    select count(*) as n from payments.transfers where xid >= (select horizon from payments.roll_up)`
  return row?.n
}
/** Transactions of other databases hold the horizon, too. */
async function rollUpAll(): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await Bun.sleep(20)) {
    await rollUpNow()
    if ((await tailLength()) === 0) return
  }
  throw new Error('some transaction of this server does not end')
}

describe('append-only', () => {
  const refused = /permission denied/
  test('the service posts and reads, and changes no history', async () => {
    const sourceId = uuidv7()
    await post(sql, { sourceId })
    await expect(sql`update payments.transfers set amount_minor = 1`.execute()).rejects.toThrow(refused)
    await expect(sql`delete from payments.transfers`.execute()).rejects.toThrow(refused)
    await expect(sql`truncate payments.transfers`.execute()).rejects.toThrow(refused)
    expect([
      ...(await sql`select amount_minor from payments.transfers where source_id = ${sourceId}`),
    ]).toEqual([{ amount_minor: 5 }])
  })
  test('it cannot post into the past', async () => {
    for (const column of ['xid', 'posted_at']) {
      const insert = sql`insert into payments.transfers (kind, source_id, payment_id, order_id, debit, credit,
        amount_minor, currency, ${sql(column)}) values ('capture', ${uuidv7()}, ${uuidv7()}, ${uuidv7()}, 'a', 'b', 1,
        'EUR', ${null})`
      await expect(insert.execute()).rejects.toThrow(refused)
    }
  })
  test('what is not balanced cannot be said', async () => {
    for (const wrong of [{ amountMinor: 0 }, { amountMinor: -5 }, { debit: 'sales' }])
      await expect(post(sql, wrong).execute()).rejects.toThrow('violates check constraint')
  })
  test('one source has one transfer of a kind', async () => {
    const sourceId = uuidv7()
    await post(sql, { sourceId })
    await expect(post(sql, { sourceId }).execute()).rejects.toThrow('duplicate key')
    await post(sql, { sourceId, kind: 'refund' })
  })
})

describe('roll-ups', () => {
  test('every balance that is read is the sum of its entries, while transfers are posted and one stays open', async () => {
    const straggler = await sql.reserve()
    await straggler`begin`
    await post(straggler, { amountMinor: 1_000_000 })
    const [{ xid } = { xid: '' }] = await straggler<
      { xid: string }[]
    >`select pg_current_xact_id()::text as xid`

    let atWork = true
    let posted = 0
    const poster = async (nth: number) => {
      for (let n = 0; atWork; n++) {
        const giveUp = new Error('given up')
        await sql
          .begin(async tx => {
            await post(tx, { amountMinor: 1 + n })
            if (n % 3 === nth % 3) await Bun.sleep(n % 5)
            await refund(tx, 1)
            if (n % 7 === 6) throw giveUp
            posted++
          })
          .catch(error => {
            if (error !== giveUp) throw error
          })
      }
    }
    const rolledUp = { transfers: 0 }
    const roller = async () => {
      while (atWork) rolledUp.transfers += await rollUpNow(3)
    }
    const work = [0, 1, 2, 3, 4].map(poster)
    work.push(roller(), roller())
    const readUntil = async (met: () => boolean) => {
      for (let n = 0; n < 40 || !met(); n++) await expectSound()
    }
    try {
      await readUntil(() => posted > 100)
      const [held] = await sql`select horizon <= ${xid}::text::xid8 as "isHeld" from payments.roll_up`
      expect(held).toEqual({ isHeld: true })
      await straggler`commit`
      const late = rolledUp.transfers
      await readUntil(() => rolledUp.transfers > late)
    } finally {
      atWork = false
      straggler.release()
      await Promise.all(work)
    }
    await rollUpAll()
    const read = await expectSound()
    expect(read.find(({ account }) => account === 'sales')?.creditsMinor).toBeGreaterThan(1_000_000)
    const [{ rolled } = { rolled: 0 }] = await sql<{ rolled: number }[]>`
      select sum(debits_minor)::bigint as rolled from payments.balances`
    expect(rolled).toBe(read.reduce((sum, each) => sum + each.debitsMinor, 0))
  })

  test('many at once add each transfer once', async () => {
    for (let round = 0; round < 5; round++) {
      await post(sql)
      await Promise.all(Array.from({ length: 8 }, () => rollUpNow()))
      await expectSound()
    }
    await rollUpAll()
    await expectSound()
  })

  test('goes on until all is added, however much came together', async () => {
    await rollUpAll()
    for (let n = 0; n < 5; n++)
      await sql.begin(tx => Promise.all([post(tx, { amountMinor: 100 }), refund(tx, 1), refund(tx, 2)]))
    const added: number[] = []
    for (const deadline = Date.now() + 30_000; (await tailLength()) !== 0 && Date.now() < deadline; ) {
      const transfers = await rollUpNow(4)
      if (transfers > 0) added.push(transfers)
      await expectSound()
    }
    expect(added.reduce((sum, transfers) => sum + transfers, 0)).toBe(15)
    expect(Math.max(...added)).toBeLessThanOrEqual(6) // two whole transactions: the fifth transfer is of the second
  })

  test('a dump of a server that was further ahead is read right, and rolled up anew', async () => {
    await rollUpAll()
    await post(sql)
    // As it would come from there: rolled up to a transaction that this server has not reached, with one behind it.
    await owner`update payments.roll_up set horizon = '1000000000000'`
    await owner`update payments.transfers set xid = '1000000000001' where seq = (select max(seq) from payments.transfers)`
    await owner`update payments.balances set debits_minor = debits_minor + 7 where account = 'sales'`
    await post(sql)
    await expectSound()
    await rollUpNow()
    await expectSound()
    await post(sql)
    await rollUpNow()
    const read = await expectSound()
    await owner`select payments.rebuild_balances()`
    expect([...(await expectSound())]).toEqual([...read])
    await rollUpAll()
    await expectSound()
  })
})
