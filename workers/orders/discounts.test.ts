import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Actor } from '../../queues/access.ts'
import type { InputOf } from '../../queues/command.ts'
import { createDiscount, type Discount, endDiscount } from '../../queues/discounts.ts'
import { cancel, expireOverdue, place, quote } from '../../queues/orders.ts'
import { createStore } from '../../queues/stores.ts'
import type { TestKernel } from '../../test/harness.ts'
import { addProduct, broken, carryOut, dump, jobOf, somebody, tradeKernel } from '../../test/trade.ts'
import { handlers } from './commands.ts'
import { quoting, tokens } from './quoting.fixture.ts'

let kernel: TestKernel
let customers: ReturnType<typeof quoting>
beforeAll(async () => {
  kernel = await tradeKernel()
  customers = quoting(kernel)
})
afterAll(() => kernel.stop())

let codes = 0
/** A code of its own for one test: a tenth off, unless said. */
async function aCode(given: Partial<InputOf<typeof createDiscount>> = { ratePpm: 100_000 }) {
  const code = `CODE-${++codes}`
  const input = { code, ...given } as InputOf<typeof createDiscount>
  const { state, result } = await kernel.run(createDiscount, input)
  if (state !== 'succeeded') throw new Error(JSON.stringify(result))
  return code
}
const buyWith = (sku: string, discountCode: string, actor: Actor = somebody(), quantity = 1) =>
  kernel.run(place, { lines: [{ sku, quantity }], paymentMethod: 'pm_card_ok', discountCode }, { actor })
const read = async (code: string) => {
  const answer = await kernel.services
    .routesOf('orders')
    .handle(new Request(`http://orders.test/discounts/${code}`))
  return (await answer.json()) as Discount
}
const usesOf = async (code: string) => (await read(code)).uses
const orderOf = async (id: string) => {
  const [row] = await kernel.sql`
    select state, goods_minor, discount_minor, total_minor, discount_code from orders.orders where id = ${id}`
  return { ...row }
}
/** Nothing but the answer is left behind. */
async function refusal(run: () => Promise<{ readonly state: string; readonly result: unknown }>) {
  await kernel.idle()
  const before = await dump(kernel.sql)
  const { state, result } = await run()
  expect([state, await dump(kernel.sql)]).toEqual(['rejected', before])
  return result
}
const code = (name: string) => ({ code: name, detail: null })

describe('a discount', () => {
  test('of a part or an amount is taken off the goods, line by line, and paid accordingly', async () => {
    const tea = await addProduct(kernel, { priceMinor: 350 })
    const cup = await addProduct(kernel, { priceMinor: 1_205 })
    const actor = somebody()
    const lines = [
      { sku: tea.sku, quantity: 2 },
      { sku: cup.sku, quantity: 1 },
    ]
    const discountCode = await aCode()
    const { id } = await kernel.run(place, { lines, paymentMethod: 'pm_card_ok', discountCode }, { actor })
    await kernel.idle()
    expect(await orderOf(id)).toEqual({
      ...{ state: 'paid', goods_minor: 1_905, discount_minor: 191 },
      ...{ total_minor: 1_714, discount_code: discountCode },
    })
    const parts = await kernel.sql`
      select discount_minor from orders.lines where order_id = ${id} order by total_minor`
    expect(parts.map(line => line.discount_minor)).toEqual([70, 121])
    const [payment] = await kernel.sql`select captured_minor from payments.payments where order_id = ${id}`
    expect([payment?.captured_minor, await usesOf(discountCode)]).toEqual([1_714, 1])
  })
  test('of more than the goods makes the order free, and it is paid without the provider', async () => {
    const { sku } = await addProduct(kernel, { priceMinor: 350 })
    const discountCode = await aCode({ amountMinor: 1_000, currency: 'EUR' })
    const lines = [{ sku, quantity: 2 }]
    const { id } = await kernel.run(place, { lines, paymentMethod: 'pm_card_declined', discountCode })
    await kernel.idle()
    expect(await orderOf(id)).toMatchObject({ state: 'paid', discount_minor: 700, total_minor: 0 })
  })
  test('is told by its code, and in the list of all, newest first', async () => {
    const limited = await aCode({ amountMinor: 500, currency: 'EUR', minGoodsMinor: 2_000, usesMax: 3 })
    const { id, startsAt, createdAt, ...told } = await read(limited)
    expect(told).toEqual({
      ...{ code: limited, storeId: null, ratePpm: null, amountMinor: 500, currency: 'EUR', uses: 0 },
      ...{ minGoodsMinor: 2_000, endsAt: null, usesMax: 3, usesPerCustomerMax: null },
    })
    const request = new Request('http://orders.test/discounts?limit=1')
    const page = await (await kernel.services.routesOf('orders').handle(request)).json()
    expect(page).toEqual({ items: [{ id, startsAt, createdAt, ...told }], nextCursor: id })
    expect(await read('NO-SUCH')).toEqual({ code: 'not_found' } as never)
  })
})

describe('orders.create-discount', () => {
  const asked = (input: object) =>
    kernel.run(createDiscount, { code: 'WRONG', ...input } as InputOf<typeof createDiscount>)
  test('twice is once', async () => {
    const sql = kernel.database.sql('orders')
    const job = jobOf<typeof createDiscount>({ code: 'ONCE', ratePpm: 1 })
    const create = handlers(sql, tokens)['orders.create-discount']
    const first = await carryOut(sql, await create(job))
    const before = await dump(kernel.sql)
    expect(await carryOut(sql, await create({ ...job, run: 2, now: new Date() }))).toEqual(first)
    expect(await dump(kernel.sql)).toEqual(before)
  })
  test('is refused for a code that is or was there', async () => {
    const taken = await aCode()
    await kernel.run(endDiscount, { code: taken })
    expect(await refusal(() => asked({ code: taken, ratePpm: 1 }))).toEqual(code('code_taken'))
  })
  test('is refused for a store that is not there', async () => {
    const refused = await refusal(() => asked({ ratePpm: 1, storeId: uuidv7() }))
    expect(refused).toEqual(code('store_not_found'))
  })
  test('is refused for amounts without a currency, and for an end before the start', async () => {
    const missing = await refusal(() => asked({ amountMinor: 1, minGoodsMinor: 5 }))
    const detail = { fields: ['amountMinor', 'minGoodsMinor'] }
    expect(missing).toEqual({ code: 'currency_missing', detail })
    const times = { startsAt: '2026-12-02T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' }
    const reversed = await refusal(() => asked({ ratePpm: 1, ...times }))
    expect(reversed).toEqual({ code: 'ends_before_start', detail: times })
  })
})

describe('orders.end-discount', () => {
  test('twice is once: it has ended when it ended first', async () => {
    const ended = await aCode()
    const first = await kernel.run(endDiscount, { code: ended })
    const before = await dump(kernel.sql)
    expect((await kernel.run(endDiscount, { code: ended })).result).toEqual(first.result)
    expect(await dump(kernel.sql)).toEqual(before)
  })
  test('of a code that is not there is refused', async () => {
    expect(await refusal(() => kernel.run(endDiscount, { code: 'NO-SUCH' }))).toEqual(
      code('discount_not_found'),
    )
  })
})

describe('an order with a code is refused, and nothing is kept', () => {
  test('discount_unknown', async () => {
    const { sku } = await addProduct(kernel)
    expect(await refusal(() => buyWith(sku, 'NO-SUCH'))).toEqual(code('discount_unknown'))
  })
  test('discount_not_applicable: too early, too late, another store or currency, too little', async () => {
    const { sku } = await addProduct(kernel, { priceMinor: 350 })
    const address = { line1: 'Torstraße 1', city: 'Berlin', postalCode: '10119', country: 'DE' }
    const other = { kind: 'shop', name: 'Another', address, timeZone: 'UTC' } as const
    const { id: storeId } = await kernel.run(createStore, other)
    const early = { startsAt: '2999-01-01T00:00:00.000Z' }
    const late = { startsAt: '2026-01-01T00:00:00Z', endsAt: '2026-02-01T00:00:00.000Z' }
    for (const [given, detail] of [
      [early, { because: 'not_started', ...early }],
      [late, { because: 'ended', endsAt: late.endsAt }],
      [{ storeId }, { because: 'other_store', storeId }],
      [{ currency: 'USD' }, { because: 'other_currency', currency: 'USD' }],
      [
        { currency: 'EUR', minGoodsMinor: 351 },
        { because: 'too_few_goods', minGoodsMinor: 351 },
      ],
    ] as const) {
      const discountCode = await aCode({ ratePpm: 100_000, ...given })
      const refused = { code: 'discount_not_applicable', detail }
      expect(await refusal(() => buyWith(sku, discountCode))).toEqual(refused)
      const asking = () => kernel.run(quote, { lines: [{ sku, quantity: 1 }], discountCode })
      expect(await refusal(asking)).toEqual(refused)
    }
  })
  test('discount_used_up: by all, or by this customer', async () => {
    const { sku } = await addProduct(kernel)
    const one = await aCode({ ratePpm: 100_000, usesMax: 1 })
    await buyWith(sku, one)
    expect(await refusal(() => buyWith(sku, one))).toEqual(code('discount_used_up'))
    const each = await aCode({ ratePpm: 100_000, usesPerCustomerMax: 1 })
    const actor = somebody()
    await buyWith(sku, each, actor)
    expect(await refusal(() => buyWith(sku, each, actor))).toEqual(code('discount_used_up'))
    expect((await buyWith(sku, each)).state).toBe('succeeded')
  })
  test('but not for what has ended since it was asked for, however late it is worked on', async () => {
    const { sku } = await addProduct(kernel)
    const acceptedAt = new Date()
    const discountCode = await aCode({ ratePpm: 100_000, startsAt: '2026-01-01T00:00:00Z' })
    await kernel.run(endDiscount, { code: discountCode })
    const sql = kernel.database.sql('orders')
    const input = { lines: [{ sku, quantity: 1 }], paymentMethod: 'pm_card_ok', discountCode }
    const job = jobOf<typeof place>(input, { acceptedAt })
    expect((await carryOut(sql, await handlers(sql, tokens)['orders.place'](job))).kind).toBe('done')
    await kernel.sql`update orders.orders set charging = false where id = ${job.id}`
  })
})

describe('uses', () => {
  test('64 at once want the last three: three get them, and the others are refused', async () => {
    const { sku } = await addProduct(kernel)
    const discountCode = await aCode({ ratePpm: 100_000, usesMax: 3 })
    const all = await Promise.all(Array.from({ length: 64 }, () => buyWith(sku, discountCode)))
    expect(all.filter(({ state }) => state === 'succeeded')).toHaveLength(3)
    const refused = all.filter(({ state }) => state === 'rejected').map(({ result }) => result)
    expect(refused).toEqual(Array(61).fill(code('discount_used_up')))
    expect(await usesOf(discountCode)).toBe(3)
  })
  test('a customer who asks 20 times at once gets no more than are one customer’s', async () => {
    const { sku } = await addProduct(kernel)
    const discountCode = await aCode({ ratePpm: 100_000, usesPerCustomerMax: 2 })
    const actor = somebody()
    const others = Array.from({ length: 20 }, () => buyWith(sku, discountCode))
    const all = await Promise.all(Array.from({ length: 20 }, () => buyWith(sku, discountCode, actor)))
    expect(all.filter(({ state }) => state === 'succeeded')).toHaveLength(2)
    expect((await Promise.all(others)).every(({ state }) => state === 'succeeded')).toBe(true)
    expect(await usesOf(discountCode)).toBe(22)
  })
  test('ten workers that all found the last one free take it once, in one transaction or in several', async () => {
    const { sku } = await addProduct(kernel)
    const discountCode = await aCode({ ratePpm: 100_000, usesMax: 1 })
    const sql = kernel.database.sql('orders')
    const at = handlers(sql, tokens)['orders.place']
    const input = { lines: [{ sku, quantity: 1 }], paymentMethod: 'pm_card_ok', discountCode }
    const effects = await Promise.all(Array.from({ length: 10 }, () => at(jobOf<typeof place>(input))))
    const together = await sql
      .begin(async tx => {
        const inOne = effects.slice(0, 5).map(each => (typeof each === 'function' ? each(tx) : each))
        const kinds = (await Promise.all(inOne)).map(({ kind }) => kind)
        throw kinds.join()
      })
      .catch(String)
    expect(together.split(',').sort()).toEqual(['done', ...Array(4).fill('rejected')])
    const outcomes = await Promise.all(effects.map(each => carryOut(sql, each)))
    expect(outcomes.filter(({ kind }) => kind === 'done')).toHaveLength(1)
    expect(await usesOf(discountCode)).toBe(1)
    await kernel.sql`update orders.orders set charging = false where discount_code = ${discountCode}`
  })
  test('come back when an order is cancelled or expires, each once', async () => {
    const { sku } = await addProduct(kernel)
    const discountCode = await aCode({ ratePpm: 100_000, usesMax: 2, usesPerCustomerMax: 2 })
    const actor = somebody()
    const { id: cancelled } = await buyWith(sku, discountCode, actor)
    const lines = [{ sku, quantity: 1 }]
    const unpaid = { lines, paymentMethod: 'pm_card_declined', discountCode }
    const { id: expired } = await kernel.run(place, unpaid, { actor })
    await kernel.idle()
    expect(await usesOf(discountCode)).toBe(2)
    await kernel.run(cancel, { orderId: cancelled }, { actor })
    await kernel.sql`update orders.orders set expires_at = now() where id = ${expired}`
    await kernel.run(expireOverdue, {})
    await kernel.idle()
    expect([(await orderOf(cancelled)).state, (await orderOf(expired)).state]).toEqual([
      'cancelled',
      'expired',
    ])
    expect(await usesOf(discountCode)).toBe(0)
    const again = await Promise.all([1, 2].map(() => buyWith(sku, discountCode, actor)))
    expect(again.map(({ state }) => state)).toEqual(['succeeded', 'succeeded'])
  })
  test('orders with several codes, placed and cancelled at the same time, do not stop each other', async () => {
    const { sku } = await addProduct(kernel, { onHand: 1_000 })
    const some = await Promise.all([1, 2, 3].map(() => aCode()))
    const orders = await Promise.all(
      Array.from({ length: 60 }, async (_, at) => {
        const actor = somebody()
        const { id } = await buyWith(sku, some[at % 3] ?? '', actor)
        if (at % 2 === 0) await kernel.run(cancel, { orderId: id }, { actor })
      }),
    )
    await kernel.idle()
    expect([orders.length, await Promise.all(some.map(usesOf))]).toEqual([60, [10, 10, 10]])
  })
})

describe('a quote with a code', () => {
  const asking = async (sku: string, discountCode: string, actor: Actor) => {
    const { result } = await kernel.run(quote, { lines: [{ sku, quantity: 2 }], discountCode }, { actor })
    return result as { token: string; totalMinor: number; discountMinor: number; quoteId: string }
  }
  test('holds the discount, which its order uses', async () => {
    const { sku } = await addProduct(kernel, { priceMinor: 350 })
    const actor = somebody()
    const discountCode = await aCode()
    const { token, quoteId, ...said } = await asking(sku, discountCode, actor)
    expect(said).toMatchObject({ discountMinor: 70, totalMinor: 630 })
    expect((await customers.get(quoteId, actor)).body).toMatchObject({ discountCode, discountMinor: 70 })
    expect(await usesOf(discountCode)).toBe(0)
    const { id } = await customers.placeFrom(token, actor)
    expect(await orderOf(id)).toMatchObject({ discount_code: discountCode, total_minor: 630 })
    expect(await usesOf(discountCode)).toBe(1)
  })
  test('is refused as price_changed with the total of now, once the discount has ended', async () => {
    const { sku } = await addProduct(kernel, { priceMinor: 350 })
    const actor = somebody()
    const discountCode = await aCode()
    const { token } = await asking(sku, discountCode, actor)
    await kernel.run(endDiscount, { code: discountCode })
    const detail = { totalMinor: 700, currency: 'EUR' }
    expect(await refusal(() => customers.placeFrom(token, actor))).toEqual({ code: 'price_changed', detail })
  })
  test('is refused as discount_used_up when others were quicker, and is not used by that', async () => {
    const { sku } = await addProduct(kernel)
    const actor = somebody()
    const discountCode = await aCode({ ratePpm: 100_000, usesMax: 1 })
    const { token, quoteId } = await asking(sku, discountCode, actor)
    const sql = kernel.database.sql('orders')
    const input = { quote: token, paymentMethod: 'pm_card_ok' }
    const late = await handlers(sql, tokens)['orders.place'](jobOf<typeof place>(input, { actor }))
    await buyWith(sku, discountCode)
    expect(await carryOut(sql, late)).toMatchObject(code('discount_used_up'))
    expect(await refusal(() => customers.placeFrom(token, actor))).toEqual(code('discount_used_up'))
    expect(await customers.stateOf(quoteId, actor)).toBe('open')
  })
  test('cannot be given another one when it is placed', async () => {
    const { sku } = await addProduct(kernel)
    const actor = somebody()
    const discountCode = await aCode()
    const { token } = await asking(sku, discountCode, actor)
    const input = { quote: token, paymentMethod: 'pm_card_ok', discountCode }
    const refused = await refusal(() => kernel.run(place, input, { actor }))
    expect(refused).toEqual({ code: 'terms_in_quote', detail: { fields: ['discountCode'] } })
  })
})

test('afterwards no invariant is broken', async () => {
  await kernel.idle()
  expect(await broken(kernel.sql)).toEqual([])
})
