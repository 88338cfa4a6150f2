import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { setPrice } from '../../queues/catalog.ts'
import type { markQuotesStale } from '../../queues/orders.ts'
import type { TestKernel } from '../../test/harness.ts'
import { addProduct, carryOut, jobOf, somebody, tradeKernel } from '../../test/trade.ts'
import { handlers } from './commands.ts'
import { quoting, tokens } from './quoting.fixture.ts'

let kernel: TestKernel
let customers: ReturnType<typeof quoting>
beforeAll(async () => {
  kernel = await tradeKernel()
  customers = quoting(kernel)
})
afterAll(() => kernel.stop())

describe('orders.mark-quotes-stale', () => {
  test('a new price marks the open quotes that contain the product, and no others', async () => {
    const tea = await addProduct(kernel, { priceMinor: 350 })
    const cup = await addProduct(kernel)
    const actor = somebody()
    const teaLine = { sku: tea.sku, quantity: 1 }
    const both = await customers.ask([teaLine, { sku: cup.sku, quantity: 1 }], actor)
    const without = await customers.ask([{ sku: cup.sku, quantity: 1 }], actor)
    const used = await customers.ask([teaLine], actor)
    await customers.placeFrom(used.token, actor)
    const gone = await customers.ask([teaLine], actor)
    await customers.expire(gone.quoteId)

    const { id: command } = await customers.reprice(tea.id, 400)
    await kernel.idle()
    const after = await customers.ask([teaLine], actor)
    await kernel.run(setPrice, { productId: tea.id, priceMinor: 400, currency: 'EUR' }) // told again
    await kernel.idle()
    const states = [both, without, used, gone, after].map(({ quoteId }) => customers.stateOf(quoteId, actor))
    expect(await Promise.all(states)).toEqual(['stale', 'open', 'used', 'expired', 'open'])
    const story = await kernel.story(command)
    expect(story.commands.map(each => each.type)).toContain('orders.mark-quotes-stale')
  })

  test('more than fit into one run are marked by the next ones, each once', async () => {
    const { id, sku } = await addProduct(kernel, { priceMinor: 350 })
    const actor = somebody()
    await customers.ask([{ sku, quantity: 1 }], actor)
    await kernel.sql.begin(async tx => {
      const copies = tx`select gen_random_uuid() as id, q.* from generate_series(1, 1200), (
        select customer_id, total_minor, currency, price_version, quoted_at, expires_at
        from orders.quotes where customer_id = ${actor.id}) q`
      await tx`insert into orders.quotes (id, customer_id, total_minor, currency, price_version, quoted_at, expires_at) ${copies}`
      await tx`insert into orders.quote_lines (quote_id, sku, title, quantity, unit_price_minor, total_minor, expires_at)
        select id, ${sku}, 'Tea', 1, 350, 350, expires_at from orders.quotes q where customer_id = ${actor.id}
          and not exists (select from orders.quote_lines l where l.quote_id = q.id)`
    })
    const { id: command } = await customers.reprice(id, 400)
    await kernel.idle()
    const [row] = await kernel.sql`
      select count(*) filter (where stale) as stale, count(*) as lines from orders.quote_lines where sku = ${sku}`
    expect({ ...row }).toEqual({ stale: 1_201, lines: 1_201 })
    const runs = (await kernel.story(command)).commands.filter(
      each => each.type === 'orders.mark-quotes-stale',
    )
    expect(runs).toHaveLength(3)
  })

  test('an event that comes late marks nothing that was quoted at the price of now', async () => {
    const { id, sku } = await addProduct(kernel, { priceMinor: 350 })
    const actor = somebody()
    await customers.reprice(id, 400)
    await kernel.idle()
    const { quoteId } = await customers.ask([{ sku, quantity: 1 }], actor)
    const sql = kernel.database.sql('orders')
    const late = { productId: id, sku, priceMinor: 999, currency: 'EUR' }
    const job = jobOf<typeof markQuotesStale>(late)
    const outcome = await carryOut(sql, await handlers(sql, tokens)['orders.mark-quotes-stale'](job))
    expect(outcome).toMatchObject({ kind: 'done', output: { lines: 0 } })
    expect(await customers.stateOf(quoteId, actor)).toBe('open')
  })
})
