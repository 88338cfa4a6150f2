import { afterAll, beforeAll, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { reject, ship } from '../../queues/order-fulfilment.ts'
import type { recordVoid } from '../../queues/order-funds.ts'
import type { cancel, failPayment, recordRefund } from '../../queues/orders.ts'
import { jobOf } from '../../test/trade.ts'
import { type OrderDesk, orderDesk } from './lifecycle.fixture.ts'
import { readSaga } from './reads.ts'
import { type SagaStep, saga } from './saga.ts'

let desk: OrderDesk
beforeAll(async () => {
  desk = await orderDesk()
})
afterAll(() => desk.database.drop())

const cancelOf = (orderId: string) =>
  desk.carry(desk.handlers['orders.cancel'], jobOf<typeof cancel>({ orderId }, { actor: desk.actor }))
const sagaOf = async (orderId: string) => {
  const found = await readSaga(desk.owner, orderId)
  return {
    direction: found?.direction,
    cases: found?.cases,
    states: found?.steps.map(({ name, state }) => [name, state]),
  }
}
const isWaiting = (name: SagaStep['name'], done: readonly string[]) => [
  name,
  done.includes(name) ? 'done' : 'waiting',
]
const confirmed = ['reserve', 'authorize', 'confirm', 'commit_stock', 'notify']

/** Orders that stand at each place before something is handed over, and how the provider then ends its part. */
const places = [
  {
    done: ['reserve'],
    reach: async () => desk.moneyOf(await desk.placed()),
    undone: (money: Money) =>
      desk.carry(
        desk.handlers['orders.fail-payment'],
        jobOf<typeof failPayment>({ ...money, attempt: 1, declineCode: 'card_declined' }),
      ),
  },
  {
    done: confirmed,
    reach: () => desk.authorized(),
    undone: (money: Money) =>
      desk.carry(
        desk.handlers['orders.record-void'],
        jobOf<typeof recordVoid>({ ...money, attempt: 1, reason: 'cancelled' }),
      ),
  },
  {
    done: [...confirmed, 'capture'],
    reach: () => desk.paid(),
    undone: (money: Money) =>
      desk.carry(
        desk.handlers['orders.record-refund'],
        jobOf<typeof recordRefund>({ ...money, refundId: uuidv7(), refundedMinor: money.amountMinor }),
      ),
  },
]
type Money = Awaited<ReturnType<OrderDesk['paid']>>

for (const { done, reach, undone } of places) {
  test(`an order that has come to ${done.at(-1)} takes back each step that was done, by a command that the step names`, async () => {
    const money = await reach()
    expect(await sagaOf(money.orderId)).toMatchObject({
      direction: 'forward',
      states: saga.map(({ name }) => isWaiting(name, done)),
    })

    const outcome = await cancelOf(money.orderId)
    const asked = outcome.kind === 'done' ? outcome.follow.map(({ command }) => command.name) : []
    const undoing = saga.filter(({ name, undo }) => done.includes(name) && undo.length > 0)
    const did = new Set<string>(['orders.cancel', ...asked])
    // What is captured is refunded, and needs no void besides.
    for (const { name, undo } of undoing)
      expect([name, undo.some(command => did.has(command))]).toEqual([name, true])
    const mayUndo = new Set<string>(undoing.flatMap(({ undo }) => undo))
    for (const command of did) expect(mayUndo).toContain(command)

    expect((await sagaOf(money.orderId)).direction).toBe('back')
    await undone(money)
    expect(await sagaOf(money.orderId)).toMatchObject({
      direction: 'ended',
      states: saga.map(({ name }) => [name, 'undone']),
      cases: [],
    })
    const held = await desk.owner`
      select from catalog.reservations where order_id = ${money.orderId} and state <> 'released'`
    expect(held.count).toBe(0)
  })
}

test('what was handed over is not taken back: whoever asks is refused, and the order goes forward', async () => {
  const { orderId } = await desk.paid()
  await desk.carry(desk.handlers['orders.ship'], jobOf<typeof ship>({ orderId }))
  expect(await cancelOf(orderId)).toMatchObject({ code: 'order_state_conflict' })
  const rejecting = jobOf<typeof reject>({ orderId, reason: 'changed our mind' })
  expect(await desk.carry(desk.handlers['orders.reject'], rejecting)).toMatchObject({
    code: 'order_state_conflict',
  })
  expect((await sagaOf(orderId)).direction).toBe('forward')
  const fulfil = saga.find(({ name }) => name === 'fulfil')
  expect(fulfil?.undo).toEqual([])
})

test('there is one pivot, and before it every step can be taken back', () => {
  const pivot = saga.findIndex(step => step.pivot)
  expect(saga.filter(step => step.pivot)).toHaveLength(1)
  for (const step of saga.slice(0, pivot)) expect([step.name, step.undo.length]).not.toEqual([step.name, 0])
})
