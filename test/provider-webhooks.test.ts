import { afterAll, beforeAll, expect, test } from 'bun:test'
import { freePort } from '../deploy/local/ports.ts'
import { type Simulator, startSimulator } from '../workers/payments/simulator/server.ts'
import { openShop, type Shop, type SignedIn } from './shop.ts'

/** A payment provider that tells by webhook; Waybill itself asks again after ten minutes only. */
let provider: Simulator
let shop: Shop
let buyer: SignedIn
beforeAll(async () => {
  const port = await freePort()
  const webhookUrl = `http://127.0.0.1:${port}/v1/webhooks/payments/simulator`
  provider = startSimulator({ webhookUrl })
  shop = await openShop({
    env: { PORT: String(port), SIMULATOR_URL: provider.url, PAYMENT_INQUIRIES_MS: '600000' },
  })
  const merchant = await shop.merchant()
  const product = { sku: 'TEA', title: 'Green tea', priceMinor: 350, currency: 'EUR', onHand: 100 }
  await (await merchant.client.catalog.createProduct(product)).wait()
  ;[buyer] = (await shop.newCustomers(1)) as [SignedIn]
})
afterAll(async () => {
  await shop.close()
  await provider.stop()
})

const misbehave = (how: string, times = 1) =>
  fetch(`${provider.url}/misbehave`, {
    method: 'POST',
    body: JSON.stringify({ operation: 'webhook', how, times, delayMs: 200 }),
  })
async function place(paymentMethod: string): Promise<string> {
  const placed = await buyer.client.orders.place({ lines: [{ sku: 'TEA', quantity: 1 }], paymentMethod })
  await placed.wait()
  return placed.id
}
/** Places an order whose charge is approved by the buyer at the bank. */
async function buyAndApprove(): Promise<string> {
  const { client } = buyer
  const orderId = await place('pm_card_3ds')
  const payment = await until(async () => {
    const { items } = await client.payments.list({ orderId })
    return items[0]?.actionUrl
  })
  await fetch(payment, { method: 'POST', body: new URLSearchParams({ answer: 'approve' }) })
  return orderId
}
const untilPaid = (orderId: string) =>
  until(async () => {
    const { state } = await buyer.client.orders.get(orderId)
    return state === 'paid' ? state : null
  })
async function until<T>(look: () => Promise<T | null | undefined>): Promise<T> {
  for (const deadline = Date.now() + 15_000; Date.now() < deadline; await Bun.sleep(20)) {
    const found = await look()
    if (found !== null && found !== undefined) return found
  }
  throw new Error('it did not come about')
}
const chargesOf = async (orderId: string) => {
  const payments = await shop.sql<{ key: string }[]>`
    select 'charge:' || id as key from payments.payments where order_id = ${orderId}`
  const keys = new Set(payments.map(({ key }) => key))
  return [...provider.charges()].filter(({ key }) => keys.has(key))
}

for (const how of ['nothing', 'duplicate', 'reorder', 'delay', 'bad_signature', 'old_timestamp'])
  test(`a charge that was approved at the bank pays its order once, with webhooks that suffer ${how}`, async () => {
    if (how !== 'nothing') await misbehave(how, 2)
    const orderId = await buyAndApprove()
    await untilPaid(orderId)
    expect((await chargesOf(orderId)).map(({ status, capturedMinor }) => [status, capturedMinor])).toEqual([
      ['captured', 350],
    ])
    const paid = await shop.sql`select from orders.history where order_id = ${orderId} and to_state = 'paid'`
    expect(paid.count).toBe(1)
  })

test('a charge whose answer got lost pays its order as soon as the provider tells', async () => {
  const orderId = await place('pm_card_cut')
  await untilPaid(orderId)
  expect((await chargesOf(orderId)).map(({ calls }) => calls)).toEqual([1])
})
