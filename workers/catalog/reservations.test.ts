import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import { type TestDatabase, testDatabase } from '../../test/harness.ts'
import { randomFrom } from '../../test/random.ts'

/** The functions that the catalog offers to orders, called as orders calls them. */
let database: TestDatabase
let orders: Sql
let owner: Sql

beforeAll(async () => {
  database = await testDatabase()
  orders = database.sql('orders')
  owner = database.sql()
})
afterAll(() => database.drop())

/** Six products with `onHand` pieces each. */
const skus = ['A', 'B', 'C', 'D', 'E', 'F']
async function fill(onHand: number): Promise<void> {
  await owner`truncate catalog.products, catalog.stock, catalog.reservations cascade`
  await owner`insert into catalog.products (id, sku, title, price_minor, currency, created_at)
    select gen_random_uuid(), sku, 'Tea ' || sku, 350, 'EUR', now() from unnest(${skus}::text[]) as sku`
  await owner`insert into catalog.stock (sku, on_hand) select sku, ${onHand} from catalog.products`
}
beforeEach(() => fill(10))

interface Answer {
  readonly sku: string
  readonly title: string | null
  readonly unit_price_minor: number | null
  readonly requested: number
  readonly available: number | null
  readonly enough: boolean
}
type Lines = { sku: string; quantity: number }[]
type Order = { orderId: string; lines: Lines }
const ask = (lines: Lines, orderId: string = uuidv7()) => orders.json([{ orderId, lines }])
const reserve = async (lines: Lines, orderId?: string): Promise<Answer[]> => [
  ...(await orders<Answer[]>`select * from catalog.reserve(${ask(lines, orderId)})`),
]
const commit = (orderId: string) =>
  orders`select lines from catalog.commit(array[${orderId}::uuid])`.then(([row]) => row?.lines ?? 0)
const release = (orderIds: string[]) =>
  orders`select catalog.release(${orderIds}::uuid[]) as n`.then(([row]) => row?.n)
const stockOf = async (sku: string) => {
  const [row] = await owner<{ on_hand: number; reserved: number }[]>`
    select on_hand, reserved from catalog.stock where sku = ${sku}`
  return row && [row.on_hand, row.reserved]
}
/** I1, and the rest of what must hold between stock and reservations. */
async function expectSound(initial: number): Promise<void> {
  const wrong = await owner`
    select s.*, r.* from catalog.stock s left join lateral (
      select coalesce(sum(quantity), 0) as active
      from catalog.reservations r where r.sku = s.sku and r.state in ('held', 'committed')) r on true
    where s.reserved <> r.active or s.on_hand <> ${initial} or s.reserved > s.on_hand`
  expect([...wrong]).toEqual([])
}

describe('reserve', () => {
  test('64 concurrent buyers for 10 pieces: exactly 10 have one', async () => {
    const answers = await Promise.all(Array.from({ length: 64 }, () => reserve([{ sku: 'A', quantity: 1 }])))
    expect(answers.filter(([line]) => line?.enough)).toHaveLength(10)
    expect(await stockOf('A')).toEqual([10, 10])
    await expectSound(10)
  })

  test('two lines of the same product count together', async () => {
    const double = (quantity: number) => [
      { sku: 'A', quantity },
      { sku: 'A', quantity },
    ]
    expect(await reserve(double(6))).toMatchObject([
      { sku: 'A', requested: 12, available: 10, enough: false },
    ])
    expect(await stockOf('A')).toEqual([10, 0])
    expect(await reserve(double(5))).toMatchObject([{ sku: 'A', requested: 10, available: 10, enough: true }])
    expect(await stockOf('A')).toEqual([10, 10])
    await expectSound(10)
  })

  test('all lines or none: one short line leaves every product untouched, and every line is answered', async () => {
    const answers = await reserve([
      { sku: 'C', quantity: 1 },
      { sku: 'B', quantity: 11 },
      { sku: 'NONE', quantity: 1 },
      { sku: 'A', quantity: 3 },
    ])
    expect(answers.map(({ sku, available, enough }) => [sku, available, enough])).toEqual([
      ['A', 10, true],
      ['B', 10, false],
      ['C', 10, true],
      ['NONE', null, false],
    ])
    expect(answers.map(({ title }) => title)).toEqual(['Tea A', 'Tea B', 'Tea C', null])
    expect(await Promise.all(['A', 'B', 'C'].map(stockOf))).toEqual([
      [10, 0],
      [10, 0],
      [10, 0],
    ])
    expect(await owner`select from catalog.reservations`).toHaveLength(0)
  })

  test('twice for one order is once, with the same answer', async () => {
    const orderId = uuidv7()
    const lines = [
      { sku: 'B', quantity: 2 },
      { sku: 'A', quantity: 4 },
    ]
    const first = await reserve(lines, orderId)
    const second = await reserve(lines, orderId)
    const facts = (answers: Answer[]) => answers.map(({ available: _, ...rest }) => rest)
    expect(facts(second)).toEqual(facts(first))
    expect(await stockOf('A')).toEqual([10, 4])
    await expectSound(10)
  })

  test('twenty times at once for one order is once', async () => {
    const orderId = uuidv7()
    const tries = Array.from({ length: 20 }, () => reserve([{ sku: 'A', quantity: 3 }], orderId))
    const results = await Promise.allSettled(tries)
    expect(results.some(each => each.status === 'fulfilled')).toBe(true)
    expect(await stockOf('A')).toEqual([10, 3])
    await expectSound(10)
  })

  test('pieces of a transaction that is rolled back are free again', async () => {
    const rolledBack = orders.begin(async tx => {
      await tx`select * from catalog.reserve(${ask([{ sku: 'A', quantity: 10 }])})`
      throw new Error('no')
    })
    await expect(rolledBack).rejects.toThrow('no')
    expect(await reserve([{ sku: 'A', quantity: 10 }])).toMatchObject([{ enough: true }])
  })

  test('a loser that waited for the last piece gets it when the winner gives up', async () => {
    const taken = Promise.withResolvers<void>()
    const giveUp = Promise.withResolvers<void>()
    const winner = orders.begin(async tx => {
      await tx`select * from catalog.reserve(${ask([{ sku: 'A', quantity: 10 }])})`
      taken.resolve()
      await giveUp.promise
      throw new Error('gave up')
    })
    await taken.promise
    const loser = reserve([{ sku: 'A', quantity: 10 }])
    await untilWaiting()
    giveUp.resolve()
    await expect(winner).rejects.toThrow('gave up')
    expect(await loser).toMatchObject([{ enough: true }])
    await expectSound(10)
  })
})

test('an offer answers as a reservation would, for every line, and reserves nothing', async () => {
  const lines = [
    { sku: 'B', quantity: 6 },
    { sku: 'A', quantity: 10 },
    { sku: 'NONE', quantity: 1 },
    { sku: 'B', quantity: 6 },
  ]
  const orderId = uuidv7()
  const offers = await orders<Answer[]>`select * from catalog.offer(${ask(lines, orderId)})`
  expect([...offers]).toEqual(await reserve(lines, orderId))
  expect(offers.map(({ sku, enough }) => [sku, enough])).toEqual([
    ['A', true],
    ['B', false],
    ['NONE', false],
  ])
  expect(await stockOf('A')).toEqual([10, 0])
})

describe('commit and release', () => {
  test('sold pieces stay reserved, for they are on the shelf until they are shipped', async () => {
    const orderId = uuidv7()
    await reserve([{ sku: 'A', quantity: 3 }], orderId)
    expect(await commit(orderId)).toBe(1)
    expect(await commit(orderId)).toBe(0)
    expect(await stockOf('A')).toEqual([10, 3])
    await expectSound(10)
  })

  test('held and sold pieces are freed, once', async () => {
    const held = uuidv7()
    const sold = uuidv7()
    await reserve([{ sku: 'A', quantity: 3 }], held)
    await reserve([{ sku: 'A', quantity: 2 }], sold)
    await commit(sold)
    expect(await release([held, sold])).toBe(2)
    expect(await release([held, sold])).toBe(0)
    expect(await stockOf('A')).toEqual([10, 0])
    const states = await owner`select state from catalog.reservations order by quantity`
    expect(states.map(row => row.state)).toEqual(['released', 'released'])
    await expectSound(10)
  })

  test('of one order at the same time: one of the two wins', async () => {
    for (let round = 0; round < 20; round++) {
      const orderId = uuidv7()
      await reserve([{ sku: 'A', quantity: 1 }], orderId)
      await Promise.all([commit(orderId), release([orderId])])
      await release([orderId])
    }
    expect(await stockOf('A')).toEqual([10, 0])
    await expectSound(10)
  })

  test('a released order cannot be sold', async () => {
    const orderId = uuidv7()
    await reserve([{ sku: 'A', quantity: 1 }], orderId)
    await release([orderId])
    expect(await commit(orderId)).toBe(0)
    expect(await stockOf('A')).toEqual([10, 0])
  })
})

const chance = randomFrom(7)
const basket = (): Lines =>
  skus
    .map(sku => ({ sku, at: chance(), quantity: 1 + Math.floor(chance() * 3) }))
    .sort((one, other) => one.at - other.at)
    .slice(0, 2 + Math.floor(chance() * 5))
    .map(({ sku, quantity }) => ({ sku, quantity }))
const someOrders = (): Order[] =>
  Array.from({ length: 1 + Math.floor(chance() * 8) }, () => ({ orderId: uuidv7(), lines: basket() }))

describe('many orders in one call', () => {
  const reserveAll = (asked: readonly Order[]) =>
    orders<(Answer & { order_id: string })[]>`select * from catalog.reserve(${orders.json([...asked])})`

  test('is what the same orders one after another would be: each has all of its lines or none', async () => {
    let refused = 0
    for (let round = 0; round < 40; round++) {
      const onHand = 2 + Math.floor(chance() * 12)
      await fill(onHand)
      const left = new Map(skus.map(sku => [sku, onHand]))
      const asked = someOrders()
      const expected = asked
        .filter(({ lines }) => {
          if (lines.some(({ sku, quantity }) => quantity > (left.get(sku) ?? 0))) return false
          for (const { sku, quantity } of lines) left.set(sku, (left.get(sku) ?? 0) - quantity)
          return true
        })
        .map(({ orderId }) => orderId)
      const answers = Map.groupBy(await reserveAll(asked), answer => answer.order_id)
      const placed = asked.filter(({ orderId }) => answers.get(orderId)?.every(({ enough }) => enough))
      expect(placed.map(({ orderId }) => orderId)).toEqual(expected)
      expect(await Promise.all(skus.map(stockOf))).toEqual(
        skus.map(sku => [onHand, onHand - (left.get(sku) ?? 0)]),
      )
      await expectSound(onHand)
      refused += asked.length - placed.length
    }
    expect(refused).toBeGreaterThan(20)
  })

  test('at the same time as others never deadlocks, and never oversells', async () => {
    await fill(300)
    const life = async () => {
      const asked = someOrders()
      await reserveAll(asked)
      if (chance() < 0.5) await release(asked.map(({ orderId }) => orderId))
    }
    await Promise.all(Array.from({ length: 100 }, life)) // a deadlock is an error of one of them
    await expectSound(300)
  })
})

test('many concurrent orders with the same products in opposite orders never deadlock', async () => {
  await fill(100_000)
  const life = async () => {
    const ids = [uuidv7(), uuidv7(), uuidv7()]
    for (const id of ids) await reserve(basket(), id)
    if (chance() < 0.7) await commit(ids[0] ?? '')
    if (chance() < 0.7) await release(ids)
  }
  await Promise.all(Array.from({ length: 150 }, life)) // a deadlock is an error of one of them
  await expectSound(100_000)
})

test('hands off: orders call these functions and read no table; nobody else calls them', async () => {
  for (const table of ['products', 'stock', 'reservations']) {
    await expect(orders`select 1 from ${orders(`catalog.${table}`)}`.execute()).rejects.toThrow(
      'permission denied',
    )
  }
  const payments = database.sql('payments')
  const calls = [
    () => payments`select * from catalog.offer('[]')`,
    () => payments`select * from catalog.reserve('[]')`,
    () => payments`select catalog.commit(array[${uuidv7()}::uuid])`,
    () => payments`select catalog.release(array[${uuidv7()}]::uuid[])`,
  ]
  for (const call of calls) await expect(call().execute()).rejects.toThrow('permission denied')
})

test('the database itself refuses oversold and negative stock', async () => {
  const refused = [
    () => owner`update catalog.stock set reserved = on_hand + 1`,
    () => owner`update catalog.stock set reserved = -1`,
    () => owner`update catalog.stock set on_hand = -1`,
  ]
  for (const write of refused) await expect(write().execute()).rejects.toThrow('check constraint')
})

/** Until some connection of this database waits for a lock. */
async function untilWaiting(): Promise<void> {
  for (;;) {
    const [row] = await owner<{ n: number }[]>`
      select count(*)::int as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    if (row && row.n > 0) return
    await Bun.sleep(5)
  }
}
