import { afterAll, beforeAll, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { forgetRates } from '../../queues/shipping.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { carryOut, jobOf, outputOf } from '../../test/trade.ts'
import { handlers } from './commands.ts'
import { shippingService } from './index.ts'

let kernel: TestKernel
let sql: Sql
beforeAll(async () => {
  kernel = await testKernel({ services: [shippingService] })
  sql = kernel.database.sql('shipping')
})
afterAll(() => kernel.stop())

/** A rate that expires so many hours from now. */
async function keepRate(hours: number): Promise<string> {
  const id = uuidv7()
  await kernel.sql`
    insert into shipping.rates (id, request_id, customer_id, store_id, lines, destination, weight_g, source, carrier,
      service, amount_minor, currency, eta_days, expires_at)
    values (${id}, ${uuidv7()}, ${uuidv7()}, ${uuidv7()}, '[{"sku": "TEA", "quantity": 1}]', '{"country": "DE"}', 100, 'table',
      'table', 'Standard', 490, 'EUR', 2, now() + ${hours} * interval '1 hour')`
  return id
}
const kept = async () => (await sql`select id from shipping.rates order by id`).map(row => row.id)

test('shipping.forget-rates: a rate is kept for a day after it expired; twice is once', async () => {
  const fresh = [await keepRate(1), await keepRate(-23)]
  await keepRate(-25)
  const forget = async () =>
    outputOf(await carryOut(sql, await handlers()['shipping.forget-rates'](jobOf<typeof forgetRates>({}))))
  expect(await forget()).toEqual({ rates: 1 })
  expect(await kept()).toEqual(fresh)
  expect(await forget()).toEqual({ rates: 0 })
  expect(await kept()).toEqual(fresh)
})

test('orders read a rate through a function, and nothing else of shipping', async () => {
  const id = await keepRate(1)
  const orders = kernel.database.sql('orders')
  const [rate] = await orders`select * from shipping.rate(${id})`
  expect(rate).toMatchObject({
    lines: [{ sku: 'TEA', quantity: 1 }],
    carrier: 'table',
    service: 'Standard',
    amount_minor: 490,
    currency: 'EUR',
    eta_days: 2,
  })
  expect(await orders`select * from shipping.rate(${uuidv7()})`).toHaveLength(0)
  await expect(orders`select from shipping.rates`).rejects.toThrow('permission denied')
  await expect(kernel.database.sql('catalog')`select * from shipping.rate(${id})`).rejects.toThrow(
    'permission denied',
  )
})
