import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Actor } from '../../queues/access.ts'
import { type place, quote } from '../../queues/orders.ts'
import { rejected } from '../../queues/outcome.ts'
import type { CommandView } from '../../queues/story.ts'
import type { TestKernel } from '../../test/harness.ts'
import { addProduct, broken, buy, carryOut, dump, jobOf, somebody, tradeKernel } from '../../test/trade.ts'
import { handlers } from './commands.ts'
import { createQuoteTokens } from './quote-token.ts'
import { quoting, tokens } from './quoting.fixture.ts'

let kernel: TestKernel
let customers: ReturnType<typeof quoting>
beforeAll(async () => {
  kernel = await tradeKernel()
  customers = quoting(kernel)
})
afterAll(() => kernel.stop())

const refusalOf = ({ state, result }: CommandView) => {
  expect(state).toBe('rejected')
  return result as { code: string; detail: unknown }
}
const ordersOf = ({ id }: Actor) => kernel.sql<{ id: string; total_minor: number }[]>`
  select id, total_minor from orders.orders where customer_id = ${id}`
const reservedOf = async (sku: string) => {
  const [row] = await kernel.sql`select reserved from catalog.stock where sku = ${sku}`
  return row?.reserved
}
/** Its charge was never sent, for these tests carried out the command themselves. */
const notCharged = (id = '') => kernel.sql`update orders.orders set charging = false where id = ${id}`
/** Nothing but the answer: no order, no piece, no mark on the quote. */
async function leavesNothing(run: () => Promise<unknown>): Promise<void> {
  await kernel.idle()
  const before = await dump(kernel.sql)
  await run()
  expect(await dump(kernel.sql)).toEqual(before)
}

describe('orders.quote', () => {
  test('prices lines for a quarter of an hour, says what is in stock, and reserves nothing', async () => {
    const tea = await addProduct(kernel, { priceMinor: 350 })
    const cup = await addProduct(kernel, { priceMinor: 1_200, onHand: 1 })
    const actor = somebody()
    const lines = [
      { sku: tea.sku, quantity: 2 },
      { sku: cup.sku, quantity: 2 },
      { sku: tea.sku, quantity: 1 },
    ]
    const quoted = await customers.ask(lines, actor)
    const untaxed = { title: 'Green tea', discountMinor: 0, taxMinor: 0, taxRatePpm: 0 }
    const told = [
      { ...untaxed, sku: tea.sku, quantity: 3, unitPriceMinor: 350, totalMinor: 1_050 },
      { ...untaxed, sku: cup.sku, quantity: 2, unitPriceMinor: 1_200, totalMinor: 2_400 },
    ].sort((a, b) => (a.sku < b.sku ? -1 : 1))
    expect(quoted).toMatchObject({ totalMinor: 3_450, currency: 'EUR' })
    const inStock = (line: { quantity: number }) => ({ ...line, inStock: line.quantity === 3 })
    expect(quoted.lines).toEqual(told.map(inStock) as typeof quoted.lines)
    const { status, body } = await customers.get(quoted.quoteId, actor)
    const { quoteId: id, token: _, ...said } = quoted
    expect(said).toMatchObject({ goodsMinor: 3_450, taxMinor: 0, taxes: [], shipping: null })
    const kept = { ...said, id, lines: told }
    expect([status, body]).toEqual([200, { ...kept, state: 'open', orderId: null, quotedAt: body.quotedAt }])
    expect(Date.parse(body.expiresAt) - Date.parse(body.quotedAt)).toBe(15 * 60_000)
    expect([await reservedOf(tea.sku), await reservedOf(cup.sku)]).toEqual([0, 0])
  })
  test('is the customer’s own: nobody else can see it', async () => {
    const { sku } = await addProduct(kernel)
    const { quoteId } = await customers.ask([{ sku, quantity: 1 }], somebody())
    const unknown = await customers.get(uuidv7(), somebody())
    expect(unknown.status).toBe(404)
    expect(await customers.get(quoteId, somebody())).toEqual(unknown)
  })
  test('is refused for unknown products, mixed currencies and totals too large, and keeps nothing', async () => {
    const { sku } = await addProduct(kernel, { priceMinor: Number.MAX_SAFE_INTEGER })
    const dollars = await addProduct(kernel, { currency: 'USD' })
    const refused = async (...skus: string[]) =>
      refusalOf(await kernel.run(quote, { lines: skus.map(each => ({ sku: each, quantity: 2 })) }))
    await leavesNothing(async () => {
      expect(await refused('NONE-1', sku)).toEqual({ code: 'unknown_product', detail: { skus: ['NONE-1'] } })
      expect(await refused(dollars.sku, sku)).toEqual({
        code: 'mixed_currencies',
        detail: { currencies: ['EUR', 'USD'] },
      })
      expect(await refused(sku)).toEqual({ code: 'total_too_large', detail: null })
    })
  })
})

describe('orders.place from a quote', () => {
  test('places exactly its lines at exactly its prices, is charged and paid, and uses the quote', async () => {
    const tea = await addProduct(kernel, { priceMinor: 350 })
    const cup = await addProduct(kernel, { priceMinor: 1_200 })
    const actor = somebody()
    const quoted = await customers.ask(
      [
        { sku: tea.sku, quantity: 3 },
        { sku: cup.sku, quantity: 1 },
      ],
      actor,
    )
    await kernel.sql`update catalog.products set title = 'Black tea' where sku = ${tea.sku}`
    const { id, result } = await customers.placeFrom(quoted.token, actor)
    expect(result).toEqual({ orderId: id, state: 'pending_payment', totalMinor: 2_250, currency: 'EUR' })
    await kernel.idle()
    const lines = await kernel.sql`
      select sku, title, quantity, unit_price_minor as "unitPriceMinor", total_minor as "totalMinor",
        discount_minor as "discountMinor", tax_minor as "taxMinor", tax_rate_ppm as "taxRatePpm"
      from orders.lines where order_id = ${id} order by sku`
    expect(lines.map(line => ({ ...line, inStock: true }))).toEqual(quoted.lines)
    const [order] = await kernel.sql`select state, total_minor from orders.orders where id = ${id}`
    expect({ ...order }).toEqual({ state: 'paid', total_minor: 2_250 })
    expect([await reservedOf(tea.sku), await reservedOf(cup.sku)]).toEqual([3, 1])
    expect((await customers.get(quoted.quoteId, actor)).body).toMatchObject({ state: 'used', orderId: id })
  })

  test('20 at once make one order; the others are told which', async () => {
    const { sku } = await addProduct(kernel)
    const actor = somebody()
    const { token } = await customers.ask([{ sku, quantity: 2 }], actor)
    const all = await Promise.all(Array.from({ length: 20 }, () => customers.placeFrom(token, actor)))
    await kernel.idle()
    const [order, ...more] = await ordersOf(actor)
    expect([order?.total_minor, more.length, await reservedOf(sku)]).toEqual([700, 0, 2])
    const refused = all.filter(each => each.state === 'rejected').map(refusalOf)
    expect(refused).toEqual(Array(19).fill({ code: 'quote_used', detail: { orderId: order?.id } }))
  })

  test('mixed with orders from plain lines, all at once: each gets its own', async () => {
    const { sku } = await addProduct(kernel, { onHand: 30 })
    const actors = Array.from({ length: 20 }, somebody)
    const quoted = await Promise.all(actors.map(actor => customers.ask([{ sku, quantity: 1 }], actor)))
    const all = await Promise.all(
      actors.flatMap((actor, at) => [
        customers.placeFrom(quoted[at]?.token ?? '', actor),
        buy(kernel, [{ sku, quantity: 1 }], { actor }),
      ]),
    )
    await kernel.idle()
    expect(all.filter(each => each.state === 'succeeded')).toHaveLength(30)
    expect(await reservedOf(sku)).toBe(30)
    const used = await kernel.sql`
      select from orders.quotes q join orders.orders o on o.id = q.order_id and o.customer_id = q.customer_id
        and o.total_minor = q.total_minor where q.id = any(${quoted.map(each => each.quoteId)}::uuid[])`
    expect(used.count).toBe(all.filter(({ state }, at) => at % 2 === 0 && state === 'succeeded').length)
  })

  describe('a refusal leaves the quote as it was, and no order', () => {
    test('quote_invalid: tampered with, another customer’s, unknown, or of another secret', async () => {
      const { sku } = await addProduct(kernel)
      const actor = somebody()
      const { token } = await customers.ask([{ sku, quantity: 1 }], actor)
      const terms = tokens.read(token)
      if (!terms) throw new Error('the services sign with another secret')
      await leavesNothing(async () => {
        for (const [wrong, by] of [
          [`${token.slice(0, 20)}${token[20] === 'A' ? 'B' : 'A'}${token.slice(21)}`, actor],
          ['nonsense', actor],
          [token, somebody()],
          [tokens.sign({ ...terms, id: uuidv7() }), actor],
          [tokens.sign({ ...terms, totalMinor: 1 }), actor],
          [createQuoteTokens('another').sign(terms), actor],
        ] as const)
          expect(refusalOf(await customers.placeFrom(wrong, by))).toEqual({
            code: 'quote_invalid',
            detail: null,
          })
      })
    })
    test('quote_expired: also shown as such', async () => {
      const { sku } = await addProduct(kernel)
      const actor = somebody()
      const { token, quoteId } = await customers.ask([{ sku, quantity: 1 }], actor)
      await customers.expire(quoteId)
      await leavesNothing(async () => {
        expect(refusalOf(await customers.placeFrom(token, actor))).toEqual({
          code: 'quote_expired',
          detail: null,
        })
      })
      expect(await customers.stateOf(quoteId, actor)).toBe('expired')
    })
    test('quote_used: an order that was cancelled since has used it all the same', async () => {
      const { sku } = await addProduct(kernel)
      const actor = somebody()
      const { token } = await customers.ask([{ sku, quantity: 1 }], actor)
      const { id: orderId } = await customers.placeFrom(token, actor)
      await leavesNothing(async () => {
        expect(refusalOf(await customers.placeFrom(token, actor))).toEqual({
          code: 'quote_used',
          detail: { orderId },
        })
      })
    })
    test('price_changed: with the new total; at the old price again, it is good again', async () => {
      const { id, sku } = await addProduct(kernel, { priceMinor: 350 })
      const actor = somebody()
      const { token } = await customers.ask([{ sku, quantity: 2 }], actor)
      await customers.reprice(id, 400)
      await leavesNothing(async () => {
        const detail = { totalMinor: 800, currency: 'EUR' }
        expect(refusalOf(await customers.placeFrom(token, actor))).toEqual({ code: 'price_changed', detail })
      })
      await customers.reprice(id, 350)
      expect((await customers.placeFrom(token, actor)).result).toMatchObject({ totalMinor: 700 })
    })
    test('out_of_stock: the quote can be placed once there are pieces', async () => {
      const { sku } = await addProduct(kernel, { onHand: 1 })
      const actor = somebody()
      const { token } = await customers.ask([{ sku, quantity: 2 }], actor)
      await leavesNothing(async () => {
        const detail = { shortages: [{ sku, requested: 2, available: 1 }] }
        expect(refusalOf(await customers.placeFrom(token, actor))).toEqual({ code: 'out_of_stock', detail })
      })
      await kernel.sql`update catalog.stock set on_hand = 2 where sku = ${sku}`
      expect((await customers.placeFrom(token, actor)).state).toBe('succeeded')
    })
  })

  test('a price that changes between the look and the reservation is refused, and nothing is kept', async () => {
    const { id, sku } = await addProduct(kernel, { priceMinor: 350 })
    const actor = somebody()
    const { token } = await customers.ask([{ sku, quantity: 2 }], actor)
    const sql = kernel.database.sql('orders')
    const job = jobOf<typeof place>({ quote: token, paymentMethod: 'pm_card_ok' }, { actor })
    const effects = await handlers(sql, tokens)['orders.place'](job)
    expect(effects).toBeFunction()
    await customers.reprice(id, 351)
    await leavesNothing(async () => {
      const detail = { totalMinor: 702, currency: 'EUR' }
      expect(await carryOut(sql, effects)).toEqual({ kind: 'rejected', code: 'price_changed', detail })
    })
  })

  test('ten workers that all found the quote open make one order', async () => {
    const { sku } = await addProduct(kernel)
    const actor = somebody()
    const { token, quoteId } = await customers.ask([{ sku, quantity: 2 }], actor)
    const sql = kernel.database.sql('orders')
    const placing = () => jobOf<typeof place>({ quote: token, paymentMethod: 'pm_card_ok' }, { actor })
    const effects = await Promise.all(
      Array.from({ length: 10 }, () => handlers(sql, tokens)['orders.place'](placing())),
    )
    const outcomes = await Promise.all(effects.map(each => carryOut(sql, each)))
    const [order, ...more] = await ordersOf(actor)
    expect([order?.total_minor, more.length, await reservedOf(sku)]).toEqual([700, 0, 2])
    const refused = outcomes.filter(each => each.kind === 'rejected')
    expect(refused).toEqual(Array(9).fill(rejected('quote_used', { orderId: order?.id })))
    expect((await customers.get(quoteId, actor)).body.orderId).toBe(order?.id ?? '')
    await notCharged(order?.id)
  })

  test('two batches with the same quotes, in whatever order, do not stop each other', async () => {
    const { sku } = await addProduct(kernel)
    const actor = somebody()
    const asked = await Promise.all(
      Array.from({ length: 6 }, () => customers.ask([{ sku, quantity: 1 }], actor)),
    )
    const batches = [asked, asked.toReversed(), asked, asked.toReversed()].map(async batch => {
      const at = handlers(kernel.database.sql('orders'), tokens)['orders.place']
      const jobs = batch.map(({ token }) =>
        jobOf<typeof place>({ quote: token, paymentMethod: 'pm_card_ok' }, { actor }),
      )
      return Promise.all(jobs.map(at))
    })
    const effects = await Promise.all(batches)
    const outcomes = await Promise.all(
      effects.map(batch =>
        kernel.database.sql('orders').begin(async tx => {
          const inOne = batch.map(each => (typeof each === 'function' ? each(tx) : each))
          return (await Promise.all(inOne)).map(({ kind }) => kind)
        }),
      ),
    )
    expect(outcomes.flat().filter(kind => kind === 'done')).toHaveLength(6)
    const orders = await ordersOf(actor)
    expect(orders).toHaveLength(6)
    for (const { id } of orders) await notCharged(id)
  })

  test('what was asked for in time is placed, however late it is worked on', async () => {
    const { sku } = await addProduct(kernel)
    const actor = somebody()
    const { token, quoteId } = await customers.ask([{ sku, quantity: 1 }], actor)
    await customers.expire(quoteId) // a second ago
    const sql = kernel.database.sql('orders')
    const outcomeOf = async (acceptedAt: Date) => {
      const job = jobOf<typeof place>({ quote: token, paymentMethod: 'pm_card_ok' }, { actor, acceptedAt })
      return carryOut(sql, await handlers(sql, tokens)['orders.place'](job))
    }
    expect(await outcomeOf(new Date())).toMatchObject({ code: 'quote_expired' })
    expect((await outcomeOf(new Date(Date.now() - 60_000))).kind).toBe('done')
    await notCharged((await ordersOf(actor))[0]?.id)
  })
})

test('afterwards no invariant is broken', async () => {
  await kernel.idle()
  expect(await broken(kernel.sql)).toEqual([])
})
