import { afterEach, expect, test } from 'bun:test'
import type { Actor } from '../../queues/access.ts'
import { setPrice } from '../../queues/catalog.ts'
import type { OutputOf } from '../../queues/command.ts'
import { createDiscount } from '../../queues/discounts.ts'
import { cancel, expireOverdue, pay, place, quote } from '../../queues/orders.ts'
import type { TestKernel } from '../../test/harness.ts'
import { randomFrom } from '../../test/random.ts'
import { addProduct, broken, somebody, tradeKernel } from '../../test/trade.ts'

const seeds = [20_251, 77]
const cards = ['pm_card_ok', 'pm_card_ok', 'pm_card_declined', 'pm_card_timeout']
const stock = 40

let kernel: TestKernel
afterEach(() => kernel.stop())

for (const seed of seeds) {
  test(`whatever customers do at the same time, no invariant is broken (seed ${seed})`, async () => {
    kernel = await tradeKernel()
    const chance = randomFrom(seed)
    const pick = <T>(from: readonly T[]): T => from[Math.floor(chance() * from.length)] as T
    const products = await Promise.all([1, 2, 3, 4].map(() => addProduct(kernel, { onHand: stock })))
    const known: { id: string; actor: Actor }[] = []
    const quotes: { token: string; actor: Actor }[] = []
    const basket = () =>
      Array.from({ length: 1 + Math.floor(chance() * 4) }, () => ({
        sku: pick(products).sku,
        quantity: 1 + Math.floor(chance() * 3),
      }))

    await kernel.run(createDiscount, { code: 'FEW', ratePpm: 123_456, usesMax: 9 })
    const wish = () => (chance() < 0.3 ? { discountCode: 'FEW' } : {})

    const operations: readonly (() => Promise<unknown>)[] = [
      async () => {
        const actor = somebody()
        const input = { lines: basket(), paymentMethod: pick(cards), ...wish() }
        const { id, state } = await kernel.run(place, input, { actor })
        if (state === 'succeeded') known.push({ id, actor })
      },
      async () => {
        const actor = somebody()
        const { state, result } = await kernel.run(quote, { lines: basket(), ...wish() }, { actor })
        if (state === 'succeeded') quotes.push({ token: (result as OutputOf<typeof quote>).token, actor })
      },
      async () => {
        const from = pick(quotes)
        if (!from) return
        const input = { quote: from.token, paymentMethod: pick(cards) }
        const { id, state } = await kernel.run(place, input, { actor: from.actor })
        if (state === 'succeeded') known.push({ id, actor: from.actor })
      },
      async () => {
        const price = {
          productId: pick(products).id,
          priceMinor: pick([350, 350, 350, 350, 351]),
          currency: 'EUR',
        }
        await kernel.run(setPrice, price)
      },
      async () => {
        const order = pick(known)
        if (order) await kernel.run(cancel, { orderId: order.id }, { actor: order.actor })
      },
      async () => {
        const order = pick(known)
        const input = order && { orderId: order.id, paymentMethod: pick(cards) }
        if (input) await kernel.run(pay, input, { actor: order.actor })
      },
      async () => {
        const order = pick(known)
        if (!order) return
        await kernel.sql`update orders.orders set expires_at = now() where id = ${order.id}`
        await kernel.run(expireOverdue, {})
      },
    ]
    const weighted = [0, 1, 1, 2, 2, 2, 2, 3, 4, 4, 5, 6].map(
      at => operations[at] as (typeof operations)[number],
    )
    const customer = async () => {
      for (let n = 0; n < 25; n++) await pick(weighted)()
    }
    await Promise.all(Array.from({ length: 16 }, customer))
    await kernel.idle(10_000) // longer than a provider that timed out too often is left alone

    expect(await broken(kernel.sql)).toEqual([])
    expect(await piecesLost(kernel)).toEqual([])
    expect(await quotesBroken(kernel)).toEqual([])
    const [placed] = await kernel.sql`select count(order_id) as n from orders.quotes`
    expect(placed?.n).toBeGreaterThan(0)
    const [few] = await kernel.sql`select count(*) as n from orders.discount_uses`
    expect(few?.n).toBeGreaterThan(0)
    const states = await kernel.sql<{ state: string }[]>`select distinct state from orders.orders order by 1`
    expect(states.map(row => row.state)).toEqual(expect.arrayContaining(['cancelled', 'paid']))
  })
}

/** Products whose pieces on hand are not what there was at first: nothing is shipped here. */
const piecesLost = async ({ sql }: TestKernel) => [
  ...(await sql`
    select sku, on_hand from catalog.stock where on_hand <> ${stock}`),
]

/** Orders that are not what their quote said, to the line, and quotes that are not the sum of their lines. */
const quotesBroken = async ({ sql }: TestKernel) => [
  ...(await sql`
    select 'order of quote ' || q.id as what from orders.quotes q join orders.orders o on o.id = q.order_id
    where (o.customer_id, o.total_minor, o.currency) is distinct from (q.customer_id, q.total_minor, q.currency)
      or exists (
        select from (select * from orders.lines where order_id = o.id) line
        full join (select * from orders.quote_lines where quote_id = q.id) promised using (sku)
        where (line.title, line.quantity, line.unit_price_minor, line.total_minor, line.discount_minor)
          is distinct from (promised.title, promised.quantity, promised.unit_price_minor, promised.total_minor,
            promised.discount_minor))
    union all
    select 'total of quote ' || q.id from orders.quotes q
    where q.total_minor <> (select sum(total_minor - discount_minor) from orders.quote_lines l where l.quote_id = q.id)`),
]
