import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { Command } from '../../queues/command.ts'
import type {
  cancel,
  confirmPayment,
  expireOverdue,
  failPayment,
  markQuotesStale,
  pay,
  place,
  quote,
  recordRefund,
} from '../../queues/orders.ts'
import type { Handler, Job, Outcome } from '../../queues/outcome.ts'
import { type TestDatabase, testDatabase } from '../../test/harness.ts'
import { carryOut, dump, jobOf, outputOf, somebody } from '../../test/trade.ts'
import { handlers as handlersAt } from './commands.ts'
import { createQuoteTokens } from './quote-token.ts'

/** A worker that died after its commit may have its command worked again: the second run must change nothing. */
let database: TestDatabase
let owner: Sql
let orders: Sql
let handlers: ReturnType<typeof handlersAt>

beforeAll(async () => {
  database = await testDatabase()
  owner = database.sql()
  orders = database.sql('orders')
  handlers = handlersAt(orders, createQuoteTokens('for these tests'))
  await owner`insert into catalog.products (id, sku, title, price_minor, currency, created_at)
    values (${uuidv7()}, 'TEA', 'Tea', 350, 'EUR', now())`
  await owner`insert into catalog.stock (sku, on_hand) values ('TEA', 1000)`
})
afterAll(() => database.drop())

const actor = somebody()
const carry = async <C extends Command>(handler: Handler<C>, job: Job<C>): Promise<Outcome<C>> =>
  carryOut(orders, await handler(job))

/** Runs it twice and answers both outcomes; fails if the second run changed a row. */
async function twice<C extends Command>(handler: Handler<C>, job: Job<C>) {
  const first = await carry(handler, job)
  const before = await dump(owner)
  const second = await carry(handler, { ...job, run: 2, now: new Date(job.now.getTime() + 1_000) })
  expect(await dump(owner)).toEqual(before)
  return { first, second }
}

const aPlaced = async () => {
  const job = jobOf<typeof place>(
    { lines: [{ sku: 'TEA', quantity: 2 }], paymentMethod: 'pm_card_ok' },
    { actor },
  )
  await carry(handlers['orders.place'], job)
  return job.id
}
const aQuoted = async () => {
  const job = jobOf<typeof quote>({ lines: [{ sku: 'TEA', quantity: 2 }] }, { actor })
  return outputOf(await carry(handlers['orders.quote'], job))
}
const money = (orderId: string) => ({ orderId, paymentId: uuidv7(), amountMinor: 700, currency: 'EUR' })
const aPaid = async () => {
  const orderId = await aPlaced()
  const payment = money(orderId)
  await carry(handlers['orders.confirm-payment'], jobOf<typeof confirmPayment>(payment))
  return payment
}
const aFailed = async () => {
  const orderId = await aPlaced()
  const input = { ...money(orderId), attempt: 1, declineCode: 'card_declined' }
  await carry(handlers['orders.fail-payment'], jobOf<typeof failPayment>(input))
  return orderId
}
/** What a second run must not ask for again. */
const nothingMore = { follow: [], emit: [] }

describe('twice is once', () => {
  test('orders.place', async () => {
    const input = { lines: [{ sku: 'TEA', quantity: 2 }], paymentMethod: 'pm_card_ok' }
    const { first, second } = await twice(handlers['orders.place'], jobOf<typeof place>(input, { actor }))
    expect(first).toMatchObject({ kind: 'done', follow: [{}], emit: [{}] })
    expect(second).toEqual({ ...first, ...nothingMore } as typeof second)
  })
  test('orders.place, even if the price has changed in between', async () => {
    const job = jobOf<typeof place>(
      { lines: [{ sku: 'TEA', quantity: 2 }], paymentMethod: 'pm_card_ok' },
      { actor },
    )
    const first = await carry(handlers['orders.place'], job)
    await owner`update catalog.products set price_minor = 999`
    const second = await carry(handlers['orders.place'], job)
    await owner`update catalog.products set price_minor = 350`
    expect(second).toEqual({ ...first, ...nothingMore } as typeof second)
  })
  test('orders.quote, even if the price has changed in between', async () => {
    const job = jobOf<typeof quote>({ lines: [{ sku: 'TEA', quantity: 2 }] }, { actor })
    const first = await carry(handlers['orders.quote'], job)
    await owner`update catalog.products set price_minor = 999`
    const before = await dump(owner)
    const second = await carry(handlers['orders.quote'], {
      ...job,
      run: 2,
      now: new Date(job.now.getTime() + 1),
    })
    expect(await dump(owner)).toEqual(before)
    await owner`update catalog.products set price_minor = 350`
    expect(first).toMatchObject({ kind: 'done', output: { totalMinor: 700 } })
    expect(second).toEqual(first)
  })
  test('orders.place from a quote, even if it has expired and the price has changed in between', async () => {
    const { token, quoteId } = await aQuoted()
    const job = jobOf<typeof place>({ quote: token, paymentMethod: 'pm_card_ok' }, { actor })
    const first = await carry(handlers['orders.place'], job)
    await owner`update catalog.products set price_minor = 999`
    await owner`update orders.quotes set expires_at = now() where id = ${quoteId}`
    const before = await dump(owner)
    const second = await carry(handlers['orders.place'], { ...job, run: 2, acceptedAt: new Date() })
    expect(await dump(owner)).toEqual(before)
    await owner`update catalog.products set price_minor = 350`
    expect(first).toMatchObject({ kind: 'done', output: { totalMinor: 700 }, follow: [{}], emit: [{}] })
    expect(second).toEqual({ ...first, ...nothingMore } as typeof second)
  })
  test('orders.mark-quotes-stale', async () => {
    await aQuoted()
    await owner`update catalog.products set price_minor = 351`
    const price = { productId: uuidv7(), sku: 'TEA', priceMinor: 351, currency: 'EUR' }
    const { first, second } = await twice(
      handlers['orders.mark-quotes-stale'],
      jobOf<typeof markQuotesStale>(price),
    )
    await owner`update catalog.products set price_minor = 350`
    expect(outputOf(first).lines).toBeGreaterThan(0)
    expect(second).toMatchObject({ kind: 'done', output: { lines: 0 }, follow: [] })
  })
  test('orders.pay', async () => {
    const orderId = await aFailed()
    const job = jobOf<typeof pay>({ orderId, paymentMethod: 'pm_card_ok' }, { actor })
    const { first, second } = await twice(handlers['orders.pay'], job)
    expect([first.kind, second.kind]).toEqual(['done', 'rejected'])
  })
  test('orders.cancel of an order that was paid', async () => {
    const { orderId } = await aPaid()
    const job = jobOf<typeof cancel>({ orderId }, { actor })
    const { first, second } = await twice(handlers['orders.cancel'], job)
    expect(first).toMatchObject({ kind: 'done', follow: [{ command: { name: 'payments.refund' } }] })
    expect(second.kind).toBe('rejected')
  })
  test('orders.confirm-payment', async () => {
    const job = jobOf<typeof confirmPayment>(money(await aPlaced()))
    const { first, second } = await twice(handlers['orders.confirm-payment'], job)
    expect(first).toMatchObject({ kind: 'done', emit: [{ event: { name: 'order.paid' } }] })
    expect(second).toEqual({ ...first, ...nothingMore } as typeof second)
  })
  test('orders.confirm-payment of money that comes too late', async () => {
    const orderId = await aPlaced()
    await carry(handlers['orders.cancel'], jobOf<typeof cancel>({ orderId }, { actor }))
    const job = jobOf<typeof confirmPayment>(money(orderId))
    const { first, second } = await twice(handlers['orders.confirm-payment'], job)
    expect(first).toMatchObject({ kind: 'done', follow: [{ command: { name: 'payments.refund' } }] })
    expect(second).toEqual({ ...first, ...nothingMore } as typeof second)
  })
  test('orders.fail-payment', async () => {
    const input = { ...money(await aPlaced()), attempt: 1, declineCode: 'card_declined' }
    const { first, second } = await twice(handlers['orders.fail-payment'], jobOf<typeof failPayment>(input))
    expect(first).toMatchObject({ kind: 'done', emit: [{ event: { name: 'order.payment-failed' } }] })
    expect(second).toEqual({ ...first, ...nothingMore } as typeof second)
  })
  test('orders.fail-payment, told again after the next charge was asked for', async () => {
    const orderId = await aFailed()
    await carry(
      handlers['orders.pay'],
      jobOf<typeof pay>({ orderId, paymentMethod: 'pm_card_ok' }, { actor }),
    )
    const before = await dump(owner)
    const input = { ...money(orderId), attempt: 1, declineCode: 'card_declined' }
    const outcome = await carry(handlers['orders.fail-payment'], jobOf<typeof failPayment>(input))
    expect(outcome).toMatchObject({ kind: 'done', output: { state: 'pending_payment' }, ...nothingMore })
    expect(await dump(owner)).toEqual(before)
  })
  test('orders.record-refund, in whatever order two partial refunds are told of', async () => {
    const payment = await aPaid()
    const input = { ...payment, amountMinor: 300, refundId: uuidv7(), refundedMinor: 700 }
    await twice(handlers['orders.record-refund'], jobOf<typeof recordRefund>(input))
    const earlier = { ...payment, amountMinor: 400, refundId: uuidv7(), refundedMinor: 400 }
    await carry(handlers['orders.record-refund'], jobOf<typeof recordRefund>(earlier))
    const [row] =
      await owner`select refunded_minor, payment_status from orders.orders where id = ${payment.orderId}`
    expect({ ...row }).toEqual({ refunded_minor: 700, payment_status: 'refunded' })
  })
  test('orders.expire-overdue', async () => {
    const orderId = await aFailed()
    const job = jobOf<typeof expireOverdue>({}, { now: new Date(Date.now() + 3_600_000) })
    const { first, second } = await twice(handlers['orders.expire-overdue'], job)
    expect(outputOf(first).expired).toBeGreaterThan(0)
    expect(second).toMatchObject({ kind: 'done', output: { expired: 0 } })
    const [row] = await owner`select state from orders.orders where id = ${orderId}`
    expect(row?.state).toBe('expired')
  })
})

describe('another payment than the one that counts', () => {
  test('goes back whole, and its refund does not touch the order', async () => {
    const paid = await aPaid()
    const other = { ...money(paid.orderId) }
    const outcome = await carry(handlers['orders.confirm-payment'], jobOf<typeof confirmPayment>(other))
    expect(outcome).toMatchObject({
      output: { state: 'paid' },
      follow: [{ input: { paymentId: other.paymentId, amountMinor: 700 } }],
    })
    const refund = { ...other, refundId: uuidv7(), refundedMinor: 700 }
    await carry(handlers['orders.record-refund'], jobOf<typeof recordRefund>(refund))
    const [row] = await owner`
      select state, payment_id, payment_status from orders.orders where id = ${paid.orderId}`
    expect({ ...row }).toEqual({ state: 'paid', payment_id: paid.paymentId, payment_status: 'captured' })
  })
})

test('a price that changes between quote and reservation: nothing is written, and the next attempt takes it', async () => {
  const input = { lines: [{ sku: 'TEA', quantity: 1 }], paymentMethod: 'pm_card_ok' }
  const job = jobOf<typeof place>(input, { actor })
  const effects = await handlers['orders.place'](job)
  await owner`update catalog.products set price_minor = 999`
  const before = await dump(owner)
  await expect(carryOut(orders, effects)).rejects.toThrow('a price changed')
  expect(await dump(owner)).toEqual(before)
  expect(outputOf(await carry(handlers['orders.place'], job)).totalMinor).toBe(999)
  await owner`update catalog.products set price_minor = 350`
})

test('an order whose pieces are gone is never marked paid', async () => {
  const orderId = await aPlaced()
  await owner`select catalog.release(array[${orderId}]::uuid[])`
  const run = carry(handlers['orders.confirm-payment'], jobOf<typeof confirmPayment>(money(orderId)))
  await expect(run).rejects.toThrow('without its pieces')
  const [row] = await owner`select state from orders.orders where id = ${orderId}`
  expect(row?.state).toBe('pending_payment')
})

test('an answer for an order that does not exist is a bug, and stops', async () => {
  const payment = money(uuidv7())
  const run = carry(handlers['orders.confirm-payment'], jobOf<typeof confirmPayment>(payment))
  await expect(run).rejects.toThrow('there is no order')
})
