import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { findStuck, resolveCase } from '../../queues/cases.ts'
import type { ship } from '../../queues/order-fulfilment.ts'
import { jobOf, outputOf, somebody } from '../../test/trade.ts'
import { type OrderDesk, orderDesk } from './lifecycle.fixture.ts'

let desk: OrderDesk
beforeAll(async () => {
  desk = await orderDesk()
})
afterAll(() => desk.database.drop())

const look = async (afterMs = 0) =>
  outputOf(
    await desk.carry(
      desk.handlers['orders.find-stuck'],
      jobOf<typeof findStuck>({}, { now: new Date(Date.now() + afterMs) }),
    ),
  ).opened
const casesOf = async (orderId: string) => [
  ...(await desk.owner`select kind, cause, detail, state from orders.cases where order_id = ${orderId}`),
]
const hourMs = 3_600_000

/** A dead command, as the journal keeps it. */
async function dead(type: string, input: object, rootId: string) {
  const id = uuidv7()
  await desk.owner`insert into journal.commands
      (id, type, input, correlation_id, traceparent, due_at, settled_at, state)
    values (${id}, ${type}, ${desk.owner.json({ ...input })}, ${rootId}, '', now(), now(), 'dead')`
  await desk.owner`insert into journal.dead_letters (command_id, type, fingerprint, error)
    values (${id}, ${type}, 'f', ${desk.owner.json({ message: 'the provider is away' })})`
  return id
}

describe('orders.find-stuck', () => {
  test('opens a case for each dead command of an order, however it belongs to it, once', async () => {
    const money = await desk.paid()
    const { orderId, paymentId } = money
    await desk.owner`insert into journal.commands (id, type, input, correlation_id, traceparent, due_at, settled_at, state)
      values (${paymentId}, 'payments.charge', ${desk.owner.json({ orderId })}, ${uuidv7()}, '', now(), now(), 'succeeded')`
    const found = [
      await dead('payments.charge', { orderId, paymentId: 'none' }, uuidv7()),
      await dead('payments.refund', { orderId: 'none', paymentId }, uuidv7()),
      await dead('notifications.mail-order-paid', {}, orderId),
    ]
    const none = await dead('media.convert', {}, uuidv7())
    expect(await look()).toBe(3)
    expect(await look()).toBe(0)
    const cases = await casesOf(orderId)
    expect(cases.map(each => each.cause).sort()).toEqual(found.sort())
    expect(cases[0]).toMatchObject({ kind: 'dead_command', detail: { because: 'the provider is away' } })
    const [other] = await desk.owner`select count(*) as n from orders.cases where cause = ${none}`
    expect(other?.n).toBe(0)
  })
  test('a capture that was refused is a case, and nothing is handed over', async () => {
    const { orderId } = await desk.authorized()
    const job = jobOf<typeof ship>({ orderId })
    await desk.carry(desk.handlers['orders.ship'], job)
    await desk.owner`insert into journal.commands
        (id, type, input, parent_id, correlation_id, traceparent, due_at, settled_at, state, result)
      values (${uuidv7()}, 'payments.capture', '{}', ${job.id}, ${job.id}, '', now(), now(), 'rejected',
        ${desk.owner.json({ code: 'capture_exceeds_authorized', detail: null })})`
    expect(await look()).toBe(1)
    expect(await look()).toBe(0)
    expect(await casesOf(orderId)).toMatchObject([
      { kind: 'capture_failed', cause: job.id, detail: { refusal: { code: 'capture_exceeds_authorized' } } },
    ])
    expect(await desk.rowOf(orderId)).toMatchObject({ handedOver: false })
    await desk.owner`delete from orders.cases where order_id = ${orderId}`
    await desk.owner`update journal.commands set state = 'succeeded', result = '{"status": "failed"}'
      where correlation_id = ${job.id}`
    expect(await look()).toBe(1)
    await desk.owner`delete from orders.cases where order_id = ${orderId}`
    await desk.owner`delete from journal.commands where correlation_id = ${job.id}`
    expect(await look(2 * hourMs)).toBeGreaterThan(0)
    expect((await casesOf(orderId)).map(each => each.kind)).toEqual(['capture_unanswered'])
  })
  test('an order that waits for an answer about money for over an hour is a case; one that waits for its merchant is not', async () => {
    const [charging, owing, paid] = [await desk.placed(), await desk.paid(), await desk.paid()]
    await desk.carry(desk.handlers['orders.cancel'], jobOf({ orderId: owing.orderId }, { actor: desk.actor }))
    await look()
    expect([...(await casesOf(charging)), ...(await casesOf(owing.orderId))]).toEqual([])
    await look(2 * hourMs)
    expect((await casesOf(charging)).map(each => each.kind)).toEqual(['charge_unanswered'])
    expect((await casesOf(owing.orderId)).map(each => each.kind)).toEqual(['money_not_returned'])
    expect(await casesOf(paid.orderId)).toEqual([])
    const again = await look(2 * hourMs)
    expect(again).toBe(0)
  })
})

test('more of them than one look opens cases for: those that have theirs do not hide the others', async () => {
  const orderId = await desk.placed()
  while ((await look(2 * hourMs)) > 0);
  const ids = await copiesOf(orderId, 450)
  expect([await look(2 * hourMs), await look(2 * hourMs), await look(2 * hourMs)]).toEqual([200, 200, 50])
  const [row] = await desk.owner`
    select count(*) as n from orders.cases where kind = 'charge_unanswered' and cause = any(${ids})`
  expect(row?.n).toBe(450)
})

/** Orders like this one. */
async function copiesOf(of: string, many: number) {
  const ids = Array.from({ length: many }, () => uuidv7())
  const columns = await desk.owner<{ name: string }[]>`
    select column_name as name from information_schema.columns where table_schema = 'orders' and table_name = 'orders'
      and is_generated = 'NEVER' and column_name <> 'id'`
  const rest = desk.owner.unsafe(columns.map(({ name }) => name).join(', '))
  await desk.owner`insert into orders.orders (id, ${rest})
    select new, ${rest} from orders.orders cross join unnest(${ids}::uuid[]) as new where id = ${of}`
  return ids
}

describe('orders.resolve-case', () => {
  const resolving = (caseId: string) =>
    jobOf<typeof resolveCase>({ caseId, reason: 'called the customer' }, { actor: somebody() })
  test('closes it with who and why; twice is once', async () => {
    const { orderId } = await desk.paid()
    await dead('payments.refund', { orderId }, uuidv7())
    await look()
    const [open] = await desk.owner<{ id: string }[]>`select id from orders.cases where order_id = ${orderId}`
    const job = resolving(open?.id ?? '')
    const { first, second, isOnce } = await desk.twice(desk.handlers['orders.resolve-case'], job)
    expect(first).toMatchObject({ output: { caseId: open?.id, state: 'resolved' } })
    expect(second).toMatchObject({ code: 'case_resolved' })
    expect(isOnce).toBe(true)
    const [row] =
      await desk.owner`select resolved_by as by, resolution from orders.cases where id = ${open?.id ?? ''}`
    expect({ ...row }).toEqual({ by: job.actor?.id, resolution: 'called the customer' })
    expect(await look()).toBe(0)
  })
  test('is refused where there is none', async () => {
    expect(await desk.carry(desk.handlers['orders.resolve-case'], resolving(uuidv7()))).toMatchObject({
      code: 'case_not_found',
    })
  })
})

test('orders cannot delete a case', async () => {
  await expect(desk.database.sql('orders')`delete from orders.cases`).rejects.toThrow('permission denied')
})
