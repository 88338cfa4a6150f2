import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ApiProblem } from '../client/transport.ts'
import { convertSampleVideo } from '../deploy/local/sample-conversion.ts'
import { settledStory } from '../deploy/local/session.ts'
import type { StoryBody } from '../edge/command-view.ts'
import { openShop, type Shop, type SignedIn } from './shop.ts'
import { broken } from './trade.ts'

let shop: Shop
let merchant: SignedIn
beforeAll(async () => {
  shop = await openShop()
  merchant = await shop.merchant()
})
afterAll(() => shop.close())

let skus = 0
async function addProduct(onHand: number, priceMinor = 350): Promise<{ sku: string; productId: string }> {
  const sku = `JOURNEY-${++skus}`
  const asked = await merchant.client.catalog.createProduct({
    sku,
    title: 'Green tea',
    priceMinor,
    currency: 'EUR',
    onHand,
  })
  const settled = await asked.wait()
  if (settled.state !== 'succeeded') throw new Error(`not created: ${JSON.stringify(settled)}`)
  return settled.output
}

describe('a customer from the first request to the receipt', () => {
  test('registers, signs in, buys, pays, and gets one mail; the whole story is one tree', async () => {
    const [buyer] = (await shop.newCustomers(1)) as [SignedIn]
    const { sku, productId } = await addProduct(10, 1_250)
    const asked = await buyer.client.orders.place({
      lines: [{ sku, quantity: 3 }],
      paymentMethod: 'pm_card_ok',
    })
    expect(await asked.wait()).toMatchObject({
      state: 'succeeded',
      output: { state: 'pending_payment', totalMinor: 3_750 },
    })
    const story = await settledStory(buyer.client, asked.id, 20_000)
    expect(await buyer.client.orders.get(asked.id)).toMatchObject({
      state: 'paid',
      totalMinor: 3_750,
      currency: 'EUR',
    })
    expect((await buyer.client.catalog.getProduct(productId)).available).toBe(7)
    const mails = shop.mailbox.messages().filter(({ to }) => to.includes(buyer.email))
    expect(mails).toHaveLength(1)
    expect(mails[0]?.text).toContain(asked.id)

    expect(treeOf(story)).toEqual([
      'orders.place succeeded',
      '  payments.charge succeeded',
      '    orders.confirm-payment succeeded',
      '      notifications.mail-order-paid succeeded',
    ])
    expect(story.events.map(({ event }) => event)).toEqual(['order.placed', 'payment.captured', 'order.paid'])
  })

  test('whose card is declined keeps the pieces and pays with another card', async () => {
    const [buyer] = (await shop.newCustomers(1)) as [SignedIn]
    const { sku, productId } = await addProduct(1)
    const asked = await buyer.client.orders.place({
      lines: [{ sku, quantity: 1 }],
      paymentMethod: 'pm_card_declined',
    })
    await settledStory(buyer.client, asked.id, 20_000)
    expect(await buyer.client.orders.get(asked.id)).toMatchObject({ state: 'payment_failed' })
    expect((await buyer.client.catalog.getProduct(productId)).available).toBe(0)
    const again = await buyer.client.orders.pay({ orderId: asked.id, paymentMethod: 'pm_card_ok' })
    await settledStory(buyer.client, again.id, 20_000)
    expect(await buyer.client.orders.get(asked.id)).toMatchObject({ state: 'paid' })
  })

  test('who cancels gets money and pieces back', async () => {
    const [buyer] = (await shop.newCustomers(1)) as [SignedIn]
    const { sku, productId } = await addProduct(5)
    const asked = await buyer.client.orders.place({
      lines: [{ sku, quantity: 2 }],
      paymentMethod: 'pm_card_ok',
    })
    await settledStory(buyer.client, asked.id, 20_000)
    const cancel = await buyer.client.orders.cancel({ orderId: asked.id })
    expect(await cancel.wait()).toMatchObject({ state: 'succeeded' })
    await settledStory(buyer.client, cancel.id, 20_000)
    expect(await buyer.client.orders.get(asked.id)).toMatchObject({
      state: 'cancelled',
      paymentStatus: 'refunded',
    })
    expect((await buyer.client.catalog.getProduct(productId)).available).toBe(5)
  })

  test('uploads a video and downloads its sound', async () => {
    const [buyer] = (await shop.newCustomers(1)) as [SignedIn]
    const session = {
      client: buyer.client,
      sent: () => ({ line: '', status: 0, sentAt: new Date(), tookMs: 0 }),
    }
    const run = await convertSampleVideo(session, { dir: shop.dir, ffmpeg: process.env.FFMPEG ?? 'ffmpeg' })
    expect(run.succeeded).toBe(true)
    expect(run.mp3?.durationMs).toBeWithin(4_800, 5_300)
    expect(treeOf(run.story)[0]).toBe('media.convert succeeded')
  })
})

describe('many at once', () => {
  test('the same request with the same key, 50 times: one order, and every answer names it', async () => {
    const [buyer] = (await shop.newCustomers(1)) as [SignedIn]
    const { sku, productId } = await addProduct(100)
    const body = JSON.stringify({ lines: [{ sku, quantity: 1 }], paymentMethod: 'pm_card_ok' })
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        fetch(`${shop.url}/v1/orders`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${buyer.token}`,
            'content-type': 'application/json',
            'idempotency-key': 'one-and-the-same',
          },
          body,
        }),
      ),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
    expect(new Set(answers.map(({ headers }) => headers.get('location'))).size).toBe(1)
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(49)
    const id = answers[0]?.headers.get('location')?.split('/').at(-1) ?? ''
    await settledStory(buyer.client, id, 20_000)
    expect((await buyer.client.orders.list()).items.map(each => each.id)).toEqual([id])
    expect((await buyer.client.catalog.getProduct(productId)).available).toBe(99)
    expect(shop.mailbox.messages().filter(({ to }) => to.includes(buyer.email))).toHaveLength(1)
  })

  test('64 buyers for 10 pieces: exactly 10 orders, all paid, and 54 who are told so', async () => {
    const buyers = await shop.newCustomers(64)
    const { sku, productId } = await addProduct(10)
    const asked = await Promise.all(
      buyers.map(({ client }) =>
        client.orders.place(
          { lines: [{ sku, quantity: 1 }], paymentMethod: 'pm_card_ok' },
          { waitSeconds: 20 },
        ),
      ),
    )
    const settled = await Promise.all(asked.map(each => each.wait()))
    const refused = settled.flatMap(each => (each.state === 'rejected' ? [each.refusal] : []))
    expect(refused).toHaveLength(54)
    for (const refusal of refused) expect(refusal).toMatchObject({ code: 'out_of_stock', status: 409 })
    await Promise.all(asked.map(({ id }, at) => settledStory((buyers[at] as SignedIn).client, id, 20_000)))
    const [sold] = await shop.sql`
      select count(*) as orders, count(*) filter (where state = 'paid') as paid from orders.orders o
      where exists (select from orders.lines l where l.order_id = o.id and l.sku = ${sku})`
    expect(sold).toEqual({ orders: 10, paid: 10 })
    expect((await merchant.client.catalog.getProduct(productId)).available).toBe(0)
    expect(await broken(shop.sql)).toEqual([])
  })

  test('two lines with the same product count together', async () => {
    const [buyer] = (await shop.newCustomers(1)) as [SignedIn]
    const { sku, productId } = await addProduct(5)
    const place = async (...quantities: number[]) => {
      const lines = quantities.map(quantity => ({ sku, quantity }))
      const asked = await buyer.client.orders.place({ lines, paymentMethod: 'pm_card_ok' })
      return { id: asked.id, settled: await asked.wait() }
    }
    expect((await place(3, 3)).settled).toMatchObject({
      state: 'rejected',
      refusal: { code: 'out_of_stock', detail: { shortages: [{ sku, requested: 6, available: 5 }] } },
    })
    const { id, settled } = await place(2, 3)
    expect(settled.state).toBe('succeeded')
    await settledStory(buyer.client, id, 20_000)
    expect((await buyer.client.orders.get(id)).lines).toMatchObject([{ sku, quantity: 5 }])
    expect((await buyer.client.catalog.getProduct(productId)).available).toBe(0)
  })
})

describe('what nobody may write', () => {
  test("a NUL in a text is the caller's mistake, and nothing is written", async () => {
    const asked = merchant.client.catalog.createProduct({
      sku: 'NUL',
      title: 'a\u0000b',
      priceMinor: 1,
      currency: 'EUR',
      onHand: 1,
    })
    const problem = await asked.then(
      () => null,
      error => error as ApiProblem,
    )
    expect(problem).toBeInstanceOf(ApiProblem)
    expect(problem?.status).toBeWithin(400, 499)
    const written = await shop.sql`select from journal.commands where input ->> 'sku' = 'NUL'`
    expect(written.count).toBe(0)
  })
})

/** Commands of a story, each below the one it follows from. */
function treeOf({ commands }: StoryBody, parentId: string | null = null, indent = ''): readonly string[] {
  return commands
    .filter(each => each.parentId === parentId)
    .flatMap(each => [
      `${indent}${each.command} ${each.state}`,
      ...treeOf({ commands } as StoryBody, each.id, `${indent}  `),
    ])
}
