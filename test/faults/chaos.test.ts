import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Redis } from 'ioredis'
import { createClient } from '../../client/client.ts'
import { developmentAccounts, ensureDevelopmentAccounts } from '../../deploy/local/development-accounts.ts'
import { type Mailbox, startMailbox } from '../../deploy/local/mailbox.ts'
import { freePort } from '../../deploy/local/ports.ts'
import { testLog } from '../harness.ts'
import { chargesOf } from '../simulator.ts'
import { broken, putOnSale } from '../trade.ts'
import { endChildren, keepAlive, startChild } from './children.ts'
import { type PrivateServers, startPrivateServers } from './servers.ts'
import { openWorld, until, type World } from './world.ts'

let servers: PrivateServers
let mailbox: Mailbox
beforeAll(async () => {
  ;[servers, mailbox] = await Promise.all([startPrivateServers(), startMailbox({ port: 0 })])
})
afterAll(async () => {
  await endChildren()
  await Promise.all([servers.stop(), mailbox.stop()])
})

const skus = ['TEA', 'MUG', 'POT']
const onHand = 60
const buyers = 8

test('everything breaks in turn under buyers: each gets an answer that holds, and the books agree', async () => {
  const shop = await openShop()
  const shopping = startShopping(shop.url, shop.token)
  for (const fault of shop.faults) {
    const before = shopping.answered()
    await fault()
    await until(() => shopping.answered() > before + 20, 30_000)
  }
  const answers = await shopping.stop()
  await allDone(shop.world)

  // What was said.
  expect(answers.filter(({ status }) => ![0, 202, 503].includes(status))).toEqual([])
  expect(answers.filter(({ status, retryAfter }) => status === 503 && retryAfter === null)).toEqual([])
  expect(answers.some(({ status }) => status === 503)).toBe(true)
  const idsOf = Map.groupBy(
    answers.filter(({ status }) => status === 202),
    ({ key }) => key,
  )
  for (const accepted of idsOf.values()) expect(new Set(accepted.map(({ id }) => id)).size).toBe(1)

  // What was done.
  const places = await shop.world.sql<{ id: string; state: string }[]>`
    select id, state from journal.commands where type = 'orders.place'`
  const known = new Set(places.map(({ id }) => id))
  expect([...idsOf.values()].filter(([answer]) => !known.has(answer?.id ?? ''))).toEqual([])
  expect(places).toHaveLength(new Set(answers.map(({ key }) => key)).size)
  expect(new Set(places.map(({ state }) => state))).toEqual(new Set(['succeeded', 'rejected']))
  const [found] = await shop.world.sql<(Record<string, unknown> & { payments: string[] })[]>`
    select (select count(*) from orders.orders where state = 'paid') as paid,
      (select count(*) from orders.orders) as orders,
      array(select id::text from payments.payments) as payments,
      (select count(*) from journal.dead_letters) as "deadLetters",
      (select sum(reserved)::int8 from catalog.stock) as pieces`
  const { payments = [], ...books } = found ?? {}
  const charges = chargesOf(payments).length
  const sold = places.filter(({ state }) => state === 'succeeded').length
  const counted: Record<string, unknown> = { ...books, charges }
  expect(counted).toEqual({ paid: sold, orders: sold, charges: sold, deadLetters: 0, pieces: sold })
  expect(sold).toBeLessThanOrEqual(skus.length * onHand)
  expect(await broken(shop.world.sql)).toEqual([])
  const receipts = mailbox.messages().map(({ text }) => /[0-9a-f-]{36}/.exec(text)?.[0])
  expect(new Set(receipts).size).toBe(receipts.length) // nobody was told twice
  await shop.close()
}, 120_000)

async function openShop() {
  const world = await openWorld({ databaseUrl: servers.postgres.url, redisUrl: servers.redis.url })
  for (const sku of skus) await putOnSale(world.sql, { sku, onHand })
  const env = {
    DATABASE_URL: world.databaseUrl,
    REDIS_URL: world.redis.url,
    QUEUE_PREFIX: world.redis.prefix,
    SMTP_URL: mailbox.url,
    PORT: String(await freePort()),
  }
  let pid = 0
  const supervisor = await keepAlive(async () => {
    const child = await startChild('deploy/single.ts', env)
    pid = child.pid
    return child
  })
  await ensureDevelopmentAccounts({ databaseUrl: world.databaseUrl, redis: world.redis, env, log: testLog })
  const url = `http://127.0.0.1:${env.PORT}`
  const { email, password } = developmentAccounts.customer
  const { accessToken } = await createClient({ baseUrl: url }).sessions.login({ email, password })
  const { postgres, redis } = servers
  return {
    world,
    url,
    token: accessToken,
    faults: [
      async () => {
        postgres.kill('SIGKILL')
        await Bun.sleep(500)
        await postgres.restart()
      },
      () => wipe(redis.url),
      async () => process.kill(pid, 'SIGKILL'),
      async () => {
        redis.kill('SIGSTOP')
        await Bun.sleep(2_000)
        redis.kill('SIGCONT')
      },
      () => postgres.restart(),
      () => cancelStatements(world),
      async () => process.kill(pid, 'SIGTERM'),
      async () => {
        redis.kill('SIGKILL')
        process.kill(pid, 'SIGKILL')
        await redis.restart()
        await wipe(redis.url)
      },
    ],
    close: async () => {
      await supervisor.stop()
      await world.close()
    },
  }
}

/** For two seconds, a statement in three is cancelled: also `begin`, a settlement, a `commit`. */
async function cancelStatements({ sql }: World): Promise<void> {
  for (const until = Date.now() + 2_000; Date.now() < until; await Bun.sleep(2))
    await sql`select pg_cancel_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle' and random() < 0.3`
}

interface Answer {
  readonly key: string
  /** 0 if none came. */
  readonly status: number
  readonly retryAfter: string | null
  readonly id: string | null
}

/** Every buyer asks with one key until there is an answer that holds, then for something else with another key. */
function startShopping(url: string, token: string) {
  const answers: Answer[] = []
  let isOpen = true
  const ask = async (key: string, sku: string): Promise<Answer> => {
    const sent = await fetch(`${url}/v1/orders`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify({ lines: [{ sku, quantity: 1 }], paymentMethod: 'pm_card_ok' }),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => null)
    const id = sent?.headers.get('location')?.split('/').at(-1) ?? null
    return { key, status: sent?.status ?? 0, retryAfter: sent?.headers.get('retry-after') ?? null, id }
  }
  const shop = async (buyer: number) => {
    for (let order = 0; isOpen; order++) {
      const key = `buyer-${buyer}-${order}`
      const sku = skus[(buyer + order) % skus.length] ?? ''
      for (let answer: Answer | undefined; answer?.status !== 202; ) {
        answer = await ask(key, sku)
        answers.push(answer)
        await Bun.sleep(answer.status === 202 ? 20 : 200)
      }
    }
  }
  const shopping = Array.from({ length: buyers }, (_, buyer) => shop(buyer))
  return {
    answered: () => answers.filter(({ status }) => status === 202).length,
    stop: async () => {
      isOpen = false
      await Promise.all(shopping)
      return answers
    },
  }
}

const allDone = ({ sql }: World): Promise<void> =>
  until(async () => {
    const open = await sql`select from journal.commands where settled_at is null limit 1`
    return open.count === 0
  }, 60_000)

async function wipe(url: string): Promise<void> {
  const redis = new Redis(url)
  await redis.flushall()
  redis.disconnect()
}
