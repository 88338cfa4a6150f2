import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { Command } from '../../queues/command.ts'
import type { confirmAuthorization } from '../../queues/order-funds.ts'
import type { confirmPayment, place } from '../../queues/orders.ts'
import type { Handler, Job, Outcome } from '../../queues/outcome.ts'
import { type TestDatabase, testDatabase } from '../../test/harness.ts'
import { carryOut, dump, jobOf, putOnSale, somebody } from '../../test/trade.ts'
import { handlers as handlersAt } from './commands.ts'
import { createQuoteTokens } from './quote-token.ts'

/** Orders whose handlers a test calls itself, in a database of its own: one customer, tea and cups on sale. */
export async function orderDesk() {
  const database: TestDatabase = await testDatabase()
  const owner: Sql = database.sql()
  const orders: Sql = database.sql('orders')
  const handlers = handlersAt(orders, createQuoteTokens('for these tests'))
  for (const sku of ['TEA', 'CUP']) await putOnSale(owner, { sku, onHand: 1_000 })
  const actor = somebody()

  const carry = async <C extends Command>(handler: Handler<C>, job: Job<C>): Promise<Outcome<C>> =>
    carryOut(orders, await handler(job))
  const rowOf = async (orderId: string) => {
    const [row] = await owner`select state, payment_status as money, authorized_minor as authorized,
      captured_minor as captured, handed_over as "handedOver", action, charging from orders.orders where id = ${orderId}`
    return { ...row }
  }
  const placed = async (quantity = 2) => {
    const lines = [
      { sku: 'TEA', quantity },
      { sku: 'CUP', quantity: 1 },
    ]
    const job = jobOf<typeof place>({ lines, paymentMethod: 'pm_card_ok' }, { actor })
    await carry(handlers['orders.place'], job)
    return job.id
  }
  const totalOf = async (orderId: string) => {
    const [row] = await owner<
      { total: number }[]
    >`select total_minor as total from orders.orders where id = ${orderId}`
    return row?.total ?? 0
  }
  /** What the provider says about the order's charge. */
  const moneyOf = async (orderId: string) => ({
    orderId,
    paymentId: uuidv7(),
    amountMinor: await totalOf(orderId),
    currency: 'EUR',
  })
  return {
    database,
    owner,
    handlers,
    actor,
    carry,
    rowOf,
    placed,
    moneyOf,
    /** Runs it twice and answers both outcomes, and whether the second run changed nothing. */
    twice: async <C extends Command>(handler: Handler<C>, job: Job<C>) => {
      const first = await carry(handler, job)
      const before = JSON.stringify(await dump(owner))
      const second = await carry(handler, { ...job, run: 2, now: new Date(job.now.getTime() + 1_000) })
      return { first, second, isOnce: JSON.stringify(await dump(owner)) === before }
    },
    paid: async (quantity = 2) => {
      const money = await moneyOf(await placed(quantity))
      await carry(handlers['orders.confirm-payment'], jobOf<typeof confirmPayment>(money))
      return money
    },
    /** Paid with money that is only set aside. */
    authorized: async (quantity = 2) => {
      const money = { ...(await moneyOf(await placed(quantity))), captureBefore: new Date().toISOString() }
      await carry(handlers['orders.confirm-authorization'], jobOf<typeof confirmAuthorization>(money))
      const { captureBefore: _, ...plain } = money
      return plain
    },
    /** As if the store of the order were a kitchen, before it is paid. */
    toKitchen: (orderId: string, acceptWithinMs = 60_000) =>
      owner`update orders.orders set accept_within_ms = ${acceptWithinMs} where id = ${orderId}`,
  }
}
export type OrderDesk = Awaited<ReturnType<typeof orderDesk>>
