import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Socket } from 'bun'
import { v7 as uuidv7 } from 'uuid'
import { createEnqueuer } from '../queues/enqueue.ts'
import { customer, type TestEdge, testEdge } from './edge-harness.ts'
import { type TestDatabase, testDatabase, testLog } from './harness.ts'

/** Stands between the edge and a server, and breaks the way between them. */
async function openWay(to: URL) {
  let broken: 'no' | 'silent' | 'cut' = 'no'
  const ends = new Set<Socket<Way>>()
  interface Way {
    other?: Socket<Way>
    early: Uint8Array[]
  }
  const pass = (socket: Socket<Way>, bytes: Uint8Array) => {
    if (broken === 'silent') return
    if (socket.data.other) socket.data.other.write(bytes)
    else socket.data.early.push(new Uint8Array(bytes))
  }
  const close = (socket: Socket<Way>) => {
    ends.delete(socket)
    socket.data.other?.end()
  }
  const listener = Bun.listen<Way>({
    hostname: '127.0.0.1',
    port: 0,
    data: { early: [] },
    socket: {
      open: async near => {
        near.data = { early: [] }
        ends.add(near)
        if (broken === 'cut') return void near.terminate()
        const far = await Bun.connect<Way>({
          hostname: to.hostname,
          port: Number(to.port),
          data: { other: near, early: [] },
          socket: { data: pass, close, error: close },
        })
        ends.add(far)
        for (const bytes of near.data.early.splice(0)) far.write(bytes)
        near.data.other = far
      },
      data: pass,
      close,
      error: close,
    },
  })
  const url = new URL(to)
  url.hostname = '127.0.0.1'
  url.port = String(listener.port)
  return {
    url: url.href,
    set: (state: typeof broken) => {
      broken = state
      if (state !== 'silent') for (const end of ends) end.terminate()
    },
    stop: () => listener.stop(true),
  }
}

let database: TestDatabase
let way: Awaited<ReturnType<typeof openWay>>
let edge: TestEdge
let token: string
beforeAll(async () => {
  database = await testDatabase()
  way = await openWay(new URL(database.url))
  edge = await testEdge({ database, databaseUrl: way.url })
  token = await edge.tokenFor(customer())
})
afterAll(async () => {
  way.set('no')
  await edge.stop()
  way.stop()
  await database.drop()
})

const body = { lines: [{ sku: 'MUG', quantity: 1 }], paymentMethod: 'pm_card_ok' }
const place = (key: string = uuidv7()) => edge.ask('POST', '/v1/orders', { token, key, body })
const commandsOf = async (ids: readonly unknown[]) => {
  const [row] = await edge.sql<{ count: number }[]>`
    select count(*) from journal.commands where id = any(${ids.map(String)}::uuid[])`
  return row?.count
}
async function untilAccepted(key: string) {
  for (;;) {
    const answer = await place(key)
    if (answer.status === 202) return answer
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    await Bun.sleep(100)
  }
}

describe.each(['cut', 'silent'] as const)('503: the way to Postgres is %s', state => {
  test('commands get 503 with Retry-After, reads too, readiness says so, and nothing is told to the queue', async () => {
    const { body: known } = await place()
    way.set(state)
    const told = edge.enqueued.length
    const keys = Array.from({ length: 10 }, () => uuidv7())
    const [read, ready, ...answers] = await Promise.all([
      edge.ask('GET', `/v1/commands/${known.id}`, { token }),
      edge.ask('GET', '/readyz'),
      ...keys.map(place),
    ])
    for (const answer of [read, ...answers]) {
      expect([answer.status, answer.body.code]).toEqual([503, 'journal_unavailable'])
      expect(answer.headers.get('retry-after')).toBe('1')
    }
    expect([ready.status, ready.body.postgres]).toEqual([503, false])
    expect(edge.enqueued.length).toBe(told)

    way.set('no')
    const retried = await Promise.all(keys.map(untilAccepted))
    const again = await Promise.all(keys.map(place))
    expect(again.map(answer => answer.body.id)).toEqual(retried.map(answer => answer.body.id))
    expect(await commandsOf(retried.map(answer => answer.body.id))).toBe(keys.length)
  }, 60_000)
})

test('while Redis is away, or silent, commands are accepted without waiting for it', async () => {
  const redis = await openWay(new URL(process.env.REDIS_URL ?? ''))
  const enqueuer = createEnqueuer({ url: redis.url, prefix: `test-${uuidv7()}` }, testLog)
  const beside = await testEdge({ database, enqueuer })
  for (const state of ['no', 'cut', 'silent'] as const) {
    redis.set(state)
    const started = performance.now()
    // Each would take a second if it waited for a silent Redis.
    for (let at = 0; at < 20; at++) {
      const { status } = await beside.ask('POST', '/v1/orders', { token, key: uuidv7(), body })
      expect([state, status]).toEqual([state, 202])
    }
    expect([state, performance.now() - started < 10_000]).toEqual([state, true])
  }
  const ready = await beside.ask('GET', '/readyz')
  expect([ready.status, ready.body.ready, ready.body.redis]).toEqual([200, true, false])
  await enqueuer.close()
  redis.stop()
})
