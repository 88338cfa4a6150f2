import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { v7 as newId } from 'uuid'
import { mailOrderPaid } from '../../queues/notifications.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { catalogService } from '../catalog/index.ts'
import { notificationsService } from './index.ts'
import { startMailServer } from './mail-server.fixture.ts'

const patienceMs = 60_000

test(
  'a mail server that is away: its mails wait, and each goes out once when it is back',
  async () => {
    const server = await startMailServer()
    await server.stop()
    const kernel = await testKernel({ services: [notificationsService], env: { SMTP_URL: server.url } })
    const orders = await ordersOfCustomers(kernel, 30)
    const ids = await Promise.all(orders.map(order => kernel.send(mailOrderPaid, order)))
    await until(() => allWait(kernel, ids.length))
    const back = await startMailServer(server.port)
    await until(async () => (await settledOf(kernel, ids)).length === ids.length)
    expect(back.mails.map(({ to }) => to[0]).sort()).toEqual(orders.map(addressOf).sort())
    await kernel.stop()
    await back.stop()
  },
  patienceMs,
)

describe('a worker killed while the mail server says "taken"', () => {
  test(
    'the mail is there once, and its delivery says that nobody knows',
    async () => {
      const server = await startMailServer()
      // The kernel of this test works another service; mails are sent by a process that can be killed.
      const kernel = await testKernel({ services: [catalogService] })
      const [order] = await ordersOfCustomers(kernel, 1)
      if (!order) throw new Error('no order')
      const first = startWorker(kernel, server.url)
      server.onMail = async () => {
        first.kill('SIGKILL')
        await first.exited
      }
      const id = await kernel.send(mailOrderPaid, order)
      await first.exited
      expect(server.mails).toHaveLength(1)

      const second = startWorker(kernel, server.url)
      await until(async () => (await settledOf(kernel, [id])).length === 1)
      expect([...(await settledOf(kernel, [id]))]).toEqual([
        { state: 'succeeded', result: { deliveryId: id, delivery: 'unknown' } },
      ])
      expect(server.mails).toHaveLength(1)
      second.kill('SIGTERM')
      expect(await second.exited).toBe(0)
      await kernel.stop()
      await server.stop()
    },
    patienceMs,
  )
})

function startWorker({ database, redis }: TestKernel, smtpUrl: string) {
  return Bun.spawn([process.execPath, join(import.meta.dir, 'index.ts')], {
    env: {
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      QUEUE_PREFIX: redis.prefix,
      SMTP_URL: smtpUrl,
      PORT: '0',
      HOST: '127.0.0.1',
      LOG_LEVEL: process.env.TEST_LOG ?? 'silent',
    },
    stdout: 'inherit',
    stderr: 'inherit',
  })
}

async function ordersOfCustomers({ sql }: TestKernel, count: number) {
  const customers = Array.from({ length: count }, () => newId())
  for (const id of customers)
    await sql`insert into notifications.contacts values (${id}, ${`${id}@mail.test`}, 'Ann', now())`
  return customers.map(customerId => ({ orderId: newId(), customerId, totalMinor: 1999, currency: 'EUR' }))
}
const addressOf = ({ customerId }: { customerId: string }) => `${customerId}@mail.test`

async function settledOf({ sql }: TestKernel, ids: readonly string[]) {
  return sql<{ state: string; result: unknown }[]>`
    select state, result from journal.commands where id = any(${ids as string[]}) and settled_at is not null`
}
/** All were tried, and some met a mailer that leaves the server alone. */
async function allWait({ sql }: TestKernel, count: number): Promise<boolean> {
  const rows = await sql<{ because: string }[]>`
    select because from journal.commands where state in ('waiting', 'retrying')`
  return rows.length === count && rows.some(({ because }) => because === 'the mail server does not work')
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(20)
}
