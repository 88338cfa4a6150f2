import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { openShop, type Shop, type SignedIn } from './shop.ts'
import { broken } from './trade.ts'

let shop: Shop
let seller: SignedIn
let victim: SignedIn
let thief: SignedIn
/** An order of which a part was given back by hand. */
let goodwill = ''
beforeAll(async () => {
  shop = await openShop({ env: { CARRIERS: 'simulator,manual' } })
  seller = await shop.merchant()
  const [one, other] = await shop.newCustomers(2)
  if (!one || !other) throw new Error('nobody came')
  victim = one
  thief = other
}, 60_000)
afterAll(() => shop.close())

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

async function ask({ token }: SignedIn, method: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${shop.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      prefer: 'wait=20',
      ...(body && { 'content-type': 'application/json', 'idempotency-key': uuidv7() }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

/** A command, until it has ended: its output, or why not. */
async function carry(who: SignedIn, path: string, body: object, method = 'POST') {
  const asked = await ask(who, method, path, body)
  if (asked.body.id === undefined) return { state: 'refused', ...asked.body } as Ended
  for (let n = 0; n < 60; n++) {
    const { body: settled } = await ask(who, 'GET', `/v1/commands/${asked.body.id}`)
    if (['succeeded', 'rejected', 'dead'].includes(String(settled.state))) return settled as unknown as Ended
  }
  throw new Error(`${path} does not end: ${JSON.stringify(asked.body)}`)
}
interface Ended {
  readonly id: string
  readonly state: string
  readonly code?: string
  readonly output?: Record<string, string | number>
  readonly refusal?: { readonly code: string }
}
const codeOf = ({ refusal, code, state }: Ended) => refusal?.code ?? code ?? state

async function product({
  storeId,
  priceMinor = 1_000,
  weightG = 100,
  onHand = 1_000,
}: {
  readonly storeId?: string
  readonly priceMinor?: number
  readonly weightG?: number
  readonly onHand?: number
} = {}) {
  const sku = `T-${uuidv7().slice(-12).toUpperCase()}`
  const created = await carry(seller, '/v1/products', {
    sku,
    title: 'A thing',
    priceMinor,
    currency: 'EUR',
    onHand,
    weightG,
    ...(storeId && { storeId }),
  })
  if (created.state !== 'succeeded') throw new Error(JSON.stringify(created))
  return sku
}
async function aStore(capture: 'automatic' | 'manual' = 'automatic') {
  const address = { line1: 'Torstr. 1', city: 'Berlin', postalCode: '10119', country: 'DE' }
  const opened = await carry(seller, '/v1/stores', {
    kind: 'shop',
    name: 'S',
    timeZone: 'UTC',
    address,
    capture,
  })
  return String(opened.output?.storeId)
}
const destination = { name: 'V', line1: 'Torstr. 2', city: 'Berlin', postalCode: '10119', country: 'DE' }
const idle = async (path: string, who: SignedIn, isThere: (body: Record<string, unknown>) => boolean) => {
  for (let n = 0; n < 200; n++) {
    const { body } = await ask(who, 'GET', path)
    if (isThere(body)) return body
    await Bun.sleep(50)
  }
  throw new Error(`${path} does not get there: ${JSON.stringify((await ask(who, 'GET', path)).body)}`)
}
const order = async (who: SignedIn, body: object) =>
  carry(who, '/v1/orders', { paymentMethod: 'pm_card_ok', ...body })
const paid = async (who: SignedIn, body: object) => {
  const placed = await order(who, body)
  const id = String(placed.output?.orderId)
  await idle(`/v1/orders/${id}`, who, ({ state }) => state === 'paid')
  const { body: page } = await ask(who, 'GET', `/v1/payments?orderId=${id}`)
  return {
    id,
    totalMinor: Number(placed.output?.totalMinor),
    paymentId: (page.items as { id: string }[])[0]?.id ?? '',
  }
}

/** Until nobody works on anything any more. */
async function quiet() {
  for (let n = 0; n < 400; n++) {
    const [open] = await shop.sql`
      select 1 from journal.commands where state not in ('succeeded', 'rejected', 'dead')
        and due_at < now() + interval '2 seconds' and type not like '%observe' limit 1`
    if (!open) return
    await Bun.sleep(50)
  }
  throw new Error('it does not come to rest')
}

describe('of somebody else', () => {
  test('nothing is read, moved or used, and nothing is told of it', async () => {
    const storeId = await aStore()
    const sku = await product({ storeId })
    const lines = [{ sku, quantity: 1 }]
    const mine = await paid(victim, { lines })
    const quoted = await carry(victim, '/v1/quotes', { lines })
    // What the store sends by hand is offered however slow its carriers are.
    const bands = [{ upToG: 5_000, amountMinor: 490 }]
    const services = [{ name: 'By hand', countries: ['*'], bands, currency: 'EUR', etaDays: 2 }]
    expect((await carry(seller, `/v1/stores/${storeId}/shipping-rates`, { services }, 'PUT')).state).toBe(
      'succeeded',
    )
    const rates = await carry(victim, '/v1/shipping/rates', { lines, destination })
    const reads = [
      `/v1/orders/${mine.id}`,
      `/v1/payments/${mine.paymentId}`,
      `/v1/quotes/${quoted.output?.quoteId}`,
      `/v1/commands/${mine.id}`,
      `/v1/commands/${quoted.id}`,
      `/v1/commands/${mine.id}/story`,
      `/v1/shipments/${mine.id}`,
    ]
    for (const path of reads) expect([path, (await ask(thief, 'GET', path)).status]).toEqual([path, 404])
    for (const [path, body] of [
      [`/v1/orders/${mine.id}/cancel`, {}],
      [`/v1/orders/${mine.id}/payments`, { paymentMethod: 'pm_card_ok' }],
      [`/v1/orders/${mine.id}/returns`, { lines, reason: 'mine' }],
    ] as const) {
      const answer = await carry(thief, path, body)
      expect([path, codeOf(answer)]).toEqual([path, 'order_not_found'])
    }
    const stolen = await order(thief, { quote: quoted.output?.token, lines: undefined })
    expect(codeOf(stolen)).toBe('quote_invalid')
    const [rate] = (rates.output?.rates ?? []) as unknown as { rateId: string }[]
    expect(rate?.rateId).toBeString()
    expect(codeOf(await order(thief, { lines, shippingRateId: rate?.rateId }))).toBe('rate_invalid')
    expect(codeOf(await order(victim, { lines: [{ sku, quantity: 2 }], shippingRateId: rate?.rateId }))).toBe(
      'rate_mismatch',
    )
    const { body } = await ask(thief, 'GET', `/v1/orders/${mine.id}/shipments`)
    expect(body).toEqual({ items: [] })
  })
})

describe('at once', () => {
  test('one quote is one order', async () => {
    const lines = [{ sku: await product(), quantity: 1 }]
    const { output } = await carry(victim, '/v1/quotes', { lines })
    const all = await Promise.all(Array.from({ length: 20 }, () => order(victim, { quote: output?.token })))
    expect(all.filter(each => each.state === 'succeeded')).toHaveLength(1)
    expect(new Set(all.filter(each => each.state !== 'succeeded').map(codeOf))).toEqual(
      new Set(['quote_used']),
    )
  })
  test('fifty refunds give back no more than was taken', async () => {
    const lines = [{ sku: await product(), quantity: 1 }]
    const { id, paymentId, totalMinor } = await paid(victim, { lines })
    goodwill = id
    const all = await Promise.all(
      Array.from({ length: 50 }, () =>
        carry(seller, `/v1/payments/${paymentId}/refunds`, { amountMinor: 300, reason: 'greed' }),
      ),
    )
    expect(all.filter(each => each.state === 'succeeded')).toHaveLength(3)
    const { body } = await ask(victim, 'GET', `/v1/payments/${paymentId}`)
    expect([body.refundedMinor, totalMinor]).toEqual([900, 1_000])
  })
  test('cancel, ship, reject, capture, void and refund of one order: its money and its pieces go one way', async () => {
    const sku = await product({ storeId: await aStore('manual') })
    const ends = new Set<string>()
    for (let n = 0; n < 16; n++) {
      const { id, paymentId, totalMinor } = await paid(victim, { lines: [{ sku, quantity: 3 }] })
      const money = `/v1/payments/${paymentId}`
      const all = [
        () => carry(victim, `/v1/orders/${id}/cancel`, {}),
        () => carry(seller, `/v1/orders/${id}/reject`, { reason: 'no' }),
        () => carry(seller, `/v1/orders/${id}/shipments`, { lines: [{ sku, quantity: 3 }] }),
        () => carry(seller, `/v1/orders/${id}/shipments`, {}),
        () => carry(seller, `${money}/captures`, { amountMinor: 2_000 }),
        () => carry(seller, `${money}/void`, { reason: 'no' }),
        () => carry(seller, `${money}/refunds`, { amountMinor: 500, reason: 'no' }),
      ].slice(n % 4)
      const answers = await Promise.all(all.sort(() => Math.random() - 0.5).map(each => each()))
      for (const { state } of answers) expect(['succeeded', 'rejected', 'refused']).toContain(state)
      await quiet()
      const [row] = await shop.sql`
        select o.state, o.captured_minor as captured, o.refunded_minor as back, p.captured_minor as taken,
          p.refunded_minor as returned, p.status, (select count(*) from orders.shipments s where s.order_id = o.id
            and s.state = 'handed_over') as parcels
        from orders.orders o join payments.payments p on p.id = o.payment_id where o.id = ${id}`
      ends.add(`${row?.state} ${row?.status} ${row?.taken}/${row?.returned} ${row?.parcels}`)
      expect([row?.captured, row?.back]).toEqual([row?.taken, row?.returned])
      if (row?.state === 'cancelled') expect([row.taken - row.returned, row.parcels]).toEqual([0, 0])
      if (row?.parcels > 0) expect([row?.taken, row?.parcels]).toEqual([totalMinor, 1])
    }
    expect(ends.size).toBeGreaterThan(1)
  }, 120_000)
})

test('what is out of all proportion is refused', async () => {
  const dear = await product({ priceMinor: Number.MAX_SAFE_INTEGER })
  expect(codeOf(await order(thief, { lines: [{ sku: dear, quantity: 2 }] }))).toBe('total_too_large')
  expect(codeOf(await carry(thief, '/v1/quotes', { lines: [{ sku: dear, quantity: 10_000 }] }))).toBe(
    'total_too_large',
  )
  for (const quantity of [0, -1, 1.5, 10_001, 1e21, '1'])
    expect([
      quantity,
      (await ask(thief, 'POST', '/v1/orders', { lines: [{ sku: dear, quantity }], paymentMethod: 'x' }))
        .status,
    ]).toEqual([quantity, 422])
})

test('afterwards every invariant holds, and nothing has died', async () => {
  await quiet()
  expect(await broken(shop.sql)).toEqual([`money of order ${goodwill}`]) // a part went back, and the order stays paid
  expect([...(await shop.sql`select type, error from journal.dead_letters`)]).toEqual([])
})
