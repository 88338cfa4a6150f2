// The customers: each places an order over HTTP, waits until it is paid, and places the next.

import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { connect, type Sql } from '../../db/client.ts'
import { percentile } from '../measure.ts'
import { serveCalls } from '../remote.ts'

const { DATABASE_URL: databaseUrl = '', API_URL: api = '' } = process.env
// With the settings of a service, or a plan that was made while the table was small scans it at every look.
const sql = connect(databaseUrl, { max: 2, role: 'waybill_orders' })

interface Shop {
  readonly tokens: readonly string[]
  readonly skus: readonly string[]
}

export const calls = serveCalls({
  mailbox: openMailbox,
  /** Answers the latencies from request to paid, and how many orders a second were paid. */
  buy: async ({ shop, customers, seconds }: { shop: Shop; customers: number; seconds: number }) => {
    const paid = paidWatch(sql)
    const latencies: number[] = []
    const startedAt = performance.now()
    const until = startedAt + seconds * 1_000
    const buyer = async (number: number) => {
      while (performance.now() < until) {
        const askedAt = performance.now()
        await paid.of(await placeOrder(shop, number))
        latencies.push(performance.now() - askedAt)
      }
    }
    await Promise.all(Array.from({ length: customers }, (_, number) => buyer(number)))
    const elapsed = (performance.now() - startedAt) / 1_000
    paid.stop()
    return {
      perSecond: latencies.length / elapsed,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
    }
  },
})

/** Takes every mail and reads none: that would be more work than sending it. Answers its URL. */
async function openMailbox(): Promise<string> {
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    onData: (mail, _, answer) => mail.resume().on('end', answer),
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`
}

async function placeOrder({ tokens, skus }: Shop, customer: number): Promise<string> {
  const response = await fetch(`${api}/v1/orders`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${tokens[customer % tokens.length]}`,
      'content-type': 'application/json',
      'idempotency-key': crypto.randomUUID(),
    },
    body: JSON.stringify({
      lines: [{ sku: skus[Math.floor(Math.random() * skus.length)], quantity: 1 }],
      paymentMethod: 'pm_card_ok',
    }),
  })
  if (response.status !== 202) throw new Error(`an order was answered with ${response.status}`)
  return ((await response.json()) as { id: string }).id
}

/** Asks for all unpaid orders at once, every few milliseconds, so that the waiting costs what it would cost one. */
function paidWatch(sql: Sql) {
  const waiting = new Map<string, () => void>()
  let stopped = false
  const poll = async () => {
    while (!stopped) {
      if (waiting.size > 0) {
        const rows = await sql<{ id: string }[]>`
          select id from orders.orders where id = any(${[...waiting.keys()]}::uuid[]) and state = 'paid'`
        for (const { id } of rows) {
          waiting.get(id)?.()
          waiting.delete(id)
        }
      }
      await Bun.sleep(10)
    }
  }
  void poll()
  return {
    of: (id: string) => new Promise<void>(resolve => waiting.set(id, resolve)),
    stop: () => {
      stopped = true
    },
  }
}
