import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { type confirmPayment, expireOverdue } from '../../queues/orders.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { TestKernel } from '../../test/harness.ts'
import {
  addProduct,
  broken,
  buy,
  carryOut,
  gatedProvider,
  jobOf,
  outputOf,
  tradeKernel,
} from '../../test/trade.ts'
import { handlers } from './commands.ts'
import { createQuoteTokens } from './quote-token.ts'

let kernel: TestKernel
const provider = gatedProvider()

beforeAll(async () => {
  kernel = await tradeKernel({ wrap: provider.wrap, timeoutMs: 10_000 })
})
afterAll(() => kernel.stop())

const orderOf = async (id: string) => {
  const [row] = await kernel.sql`
    select state, charging, payment_status, expires_at > now() as "hasTime" from orders.orders where id = ${id}`
  return row && { ...row }
}
const freeOf = async (sku: string) => {
  const [row] = await kernel.sql`select on_hand - reserved as n from catalog.stock where sku = ${sku}`
  return row?.n
}
const timeIsUp = (id: string) =>
  kernel.sql`update orders.orders set expires_at = now() - interval '1 second' where id = ${id}`
const expire = () => kernel.run(expireOverdue, {})

describe('orders.expire-overdue', () => {
  test('an order whose payment failed expires when its time is up, and its pieces are free', async () => {
    const { sku } = await addProduct(kernel, { onHand: 5 })
    const { id } = await buy(kernel, [{ sku, quantity: 5 }], { card: 'pm_card_declined' })
    await kernel.idle()
    await expire()
    expect(await orderOf(id)).toMatchObject({ state: 'payment_failed' })

    await timeIsUp(id)
    const { id: command, result } = await expire()
    expect(result).toEqual({ expired: 1 })
    expect(await orderOf(id)).toMatchObject({ state: 'expired' })
    expect(await freeOf(sku)).toBe(5)
    const [step] = await kernel.sql`select from_state, cause, actor_id from orders.history
      where order_id = ${id} and to_state = 'expired'`
    expect(step).toMatchObject({ from_state: 'payment_failed', cause: 'orders.expire-overdue' })
    expect((await kernel.story(command)).events.map(event => event.type)).toEqual(['order.expired'])
  })

  test('an order whose charge has no answer yet is given time instead, and can still be paid', async () => {
    const { card, open } = provider.hold()
    const { sku } = await addProduct(kernel, { onHand: 5 })
    const { id } = await buy(kernel, [{ sku, quantity: 5 }], { card })
    await timeIsUp(id)
    expect((await expire()).result).toEqual({ expired: 0 })
    expect(await orderOf(id)).toMatchObject({ state: 'pending_payment', charging: true, hasTime: true })
    expect(await freeOf(sku)).toBe(0)
    open()
    await kernel.idle()
    expect(await orderOf(id)).toMatchObject({ state: 'paid', charging: false })
  })

  test('paid and cancelled orders never expire', async () => {
    const { sku } = await addProduct(kernel)
    const { id } = await buy(kernel, [{ sku, quantity: 1 }])
    await kernel.idle()
    await timeIsUp(id)
    expect((await expire()).result).toEqual({ expired: 0 })
    expect(await orderOf(id)).toMatchObject({ state: 'paid' })
  })

  test('hundreds at once expire in batches, each once, also when two workers are at it', async () => {
    const { sku } = await addProduct(kernel, { onHand: 500 })
    const all = Array.from({ length: 250 }, () => uuidv7())
    await overdue(all, sku)
    await Promise.all([expire(), expire()])
    await kernel.idle()
    const [row] = await kernel.sql`
      select count(*) filter (where state = 'expired') as expired, count(*) filter (where version = 2) as moved
      from orders.orders where id = any(${all}::uuid[])`
    expect({ ...row }).toEqual({ expired: 250, moved: 250 })
    expect(await freeOf(sku)).toBe(500)
  })

  test('an order that somebody is working on is left for the next time', async () => {
    const { sku } = await addProduct(kernel)
    const [busy = '', idle = ''] = [uuidv7(), uuidv7()]
    await overdue([busy, idle], sku)
    await kernel.sql.begin(async tx => {
      await tx`select from orders.orders where id = ${busy} for update`
      expect((await expire()).result).toEqual({ expired: 1 })
    })
    expect(await orderOf(busy)).toMatchObject({ state: 'payment_failed' })
    expect((await expire()).result).toEqual({ expired: 1 })
    expect(await orderOf(busy)).toMatchObject({ state: 'expired' })
  })
})

describe('the moment at which an order expires', () => {
  /** Unpaid orders that expire in so many milliseconds from now. */
  const expiring = async (inMs: readonly number[]) => {
    const { sku } = await addProduct(kernel)
    const ids = inMs.map(() => uuidv7())
    await overdue(ids, sku)
    await kernel.sql`update orders.orders o set expires_at = clock_timestamp() + given.ms * interval '1 millisecond'
      from unnest(${ids}::uuid[], ${[...inMs]}::int[]) as given(id, ms) where o.id = given.id`
    return ids
  }
  const latenessOf = async (ids: readonly string[]) =>
    kernel.sql<{ ms: number; cause: string }[]>`
      select h.cause, extract(epoch from h.at - o.expires_at)::float8 * 1000 as ms from orders.orders o
      join orders.history h on h.order_id = o.id and h.to_state = 'expired' where o.id = any(${ids as string[]}::uuid[])`

  test('is foreseen by the clock: it does not wait until the clock comes round again, nor expires early', async () => {
    const ids = await expiring([1_500, 1_510, 2_300])
    const { id, result } = await expire()
    expect(result).toEqual({ expired: 0 })
    const foreseen = (await kernel.story(id)).commands.filter(each => each.parentId === id)
    expect(foreseen.length).toBeWithin(2, 4) // those of one tenth of a second share a command
    await kernel.idle(5_000)
    const late = await latenessOf(ids)
    expect(late).toHaveLength(3)
    for (const { ms } of late) expect(ms).toBeWithin(0, 10_000)
  })
  test('has a command each, as far as the next round of the clock; what was foreseen does not look ahead again', async () => {
    await expiring([5_000, 16_000, 3_600_000])
    const handler = handlers(kernel.sql, createQuoteTokens('for these tests'))['orders.expire-overdue']
    const run = (foreseen: boolean) =>
      kernel.sql
        .begin(async tx => {
          const effects = await handler(jobOf<typeof expireOverdue>(foreseen ? { foreseen } : {}))
          const outcome = typeof effects === 'function' ? await effects(tx as unknown as Tx) : effects
          throw outcome
        })
        .catch(outcome => outcome)
    expect((await run(true)).follow).toEqual([])
    expect((await run(false)).follow.length).toBe(2) // the last one is the next rounds' matter
  })
})

test('money that comes for an expired order goes back, and the order stays expired', async () => {
  const { sku } = await addProduct(kernel)
  const id = uuidv7()
  await overdue([id], sku)
  await expire()
  const payment = { paymentId: uuidv7(), orderId: id, amountMinor: 350, currency: 'EUR' }
  const job = jobOf<typeof confirmPayment>(payment)
  const outcome = await carryOut(
    kernel.sql,
    await handlers(kernel.sql, createQuoteTokens('for these tests'))['orders.confirm-payment'](job),
  )
  expect(outputOf(outcome)).toEqual({ orderId: id, state: 'expired' })
  expect(outcome).toMatchObject({
    follow: [
      {
        command: { name: 'payments.refund' },
        input: { paymentId: payment.paymentId, requestId: job.id, amountMinor: 350 },
      },
    ],
  })
  expect(await orderOf(id)).toMatchObject({ state: 'expired', payment_status: 'captured' })
  const [late] =
    await kernel.sql`delete from orders.cases where order_id = ${id} returning kind, cause, state`
  expect({ ...late }).toEqual({ kind: 'late_payment', cause: payment.paymentId, state: 'open' })
  await kernel.sql`delete from orders.history where order_id = ${id}`
  await kernel.sql`delete from orders.lines where order_id = ${id}`
  await kernel.sql`delete from orders.orders where id = ${id}`
})

test('afterwards no invariant is broken', async () => {
  await kernel.idle()
  expect(await broken(kernel.sql)).toEqual([])
})

/** Orders of one piece each, whose payment failed and whose time is up, as they would have come to be. */
async function overdue(ids: readonly string[], sku: string): Promise<void> {
  const at = new Date(Date.now() - 3_600_000)
  await kernel.sql.begin(async tx => {
    await tx`insert into orders.orders (id, customer_id, state, charging, total_minor, currency, placed_at, expires_at)
      select id, gen_random_uuid(), 'payment_failed', false, 350, 'EUR', ${at}, ${at} from unnest(${ids}::uuid[]) id`
    await tx`insert into orders.lines (order_id, sku, title, quantity, unit_price_minor, total_minor)
      select id, ${sku}, 'Tea', 1, 350, 350 from unnest(${ids}::uuid[]) id`
    await tx`insert into orders.history (order_id, seq, to_state, cause, traceparent, at)
      select id, 1, 'payment_failed', 'test', '', ${at} from unnest(${ids}::uuid[]) id`
    await tx`select catalog.reserve(${tx.json(ids.map(orderId => ({ orderId, lines: [{ sku, quantity: 1 }] })))})`
  })
}
