import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Elysia } from 'elysia'
import { v7 as uuidv7 } from 'uuid'
import { createProduct } from '../queues/catalog.ts'
import { catalogService } from '../workers/catalog/index.ts'
import { ordersService } from '../workers/orders/index.ts'
import { guarded } from '../workers/runtime/http.ts'
import { customer, publicJwk, sign } from './edge-harness.ts'
import { type TestKernel, testKernel } from './harness.ts'
import { figureOf, parseMetrics } from './metrics.ts'

const root = join(import.meta.dir, '..')
const secret = 'between-edge-and-workers'
const runtimes = {
  bun: [process.execPath],
  deno: [denoBinary(), 'run', '--allow-net', '--allow-env', '--allow-read', '--allow-sys'],
} as const
type Runtime = keyof typeof runtimes

/** The binary itself: the launcher in .bin does not pass signals on. */
function denoBinary(): string {
  const packages = join(root, 'node_modules/@deno')
  const candidates = ['../deno', ...(existsSync(packages) ? readdirSync(packages) : [])]
  const found = candidates.map(name => join(packages, name, 'deno')).find(path => existsSync(path))
  if (!found) throw new Error('the npm package deno has no binary for this platform')
  return found
}

let kernel: TestKernel
let workers: ReturnType<typeof Bun.serve>
let sku: string
beforeAll(async () => {
  kernel = await testKernel({ services: [catalogService, ordersService] })
  const { routesOf } = kernel.services
  const routes = new Elysia()
    .get('/.well-known/jwks.json', () => ({ keys: [publicJwk] }))
    .use(routesOf('catalog'))
    .use(routesOf('orders'))
  const answer = guarded(routes, secret, {
    ailments: async () => [],
    breakers: () => [],
    metrics: kernel.services.metrics.scrape,
  })
  workers = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: answer })
  sku = `SKU-${uuidv7().toUpperCase()}`
  await kernel.run(createProduct, { sku, title: 'Mug', priceMinor: 100, currency: 'EUR', onHand: 1_000 })
})
afterAll(async () => {
  await workers.stop(true)
  await kernel.stop()
})

interface Running {
  readonly url: string
  readonly port: number
  readonly metricsPort?: number
  readonly kill: (signal: NodeJS.Signals) => void
  readonly exited: Promise<number>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

const environment = (more: Record<string, string> = {}) => ({
  ...process.env,
  PORT: '0',
  HOST: '127.0.0.1',
  DATABASE_URL: kernel.database.url,
  REDIS_URL: kernel.redis.url,
  QUEUE_PREFIX: kernel.redis.prefix,
  WORKERS_URL: `http://127.0.0.1:${workers.port}`,
  INTERNAL_SECRET: secret,
  ...more,
})

async function start(runtime: Runtime, more: Record<string, string> = {}): Promise<Running> {
  const child = Bun.spawn([...runtimes[runtime], 'edge/index.ts'], {
    cwd: root,
    env: environment(more),
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const reader = child.stdout.getReader()
  const decoder = new TextDecoder()
  let log = ''
  while (!log.includes('\n')) {
    const { done, value } = await reader.read()
    if (done) throw new Error(`the edge ended: ${log}`)
    log += decoder.decode(value, { stream: true })
  }
  void drain(reader)
  const ready = JSON.parse(log.slice(0, log.indexOf('\n'))) as { port: number; metricsPort?: number }
  const { port } = ready
  return {
    ...ready,
    url: `http://127.0.0.1:${port}`,
    kill: signal => child.kill(signal),
    exited: child.exited,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

/** A full pipe would stop the process. */
async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    if (process.env.TEST_LOG) console.error(new TextDecoder().decode(value))
  }
}

const tokenOf = ({ id, scopes } = customer()) => sign({ sub: id, scope: scopes.join(' ') })
async function place(
  { url }: Running,
  headers: Record<string, string> = {},
  quantity = 1,
): Promise<Response> {
  return fetch(`${url}/v1/orders`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await tokenOf()}`,
      'content-type': 'application/json',
      'idempotency-key': uuidv7(),
      ...headers,
    },
    body: JSON.stringify({ lines: [{ sku, quantity }], paymentMethod: 'pm_card_ok' }),
  })
}
const countCommands = async (type: string): Promise<number> => {
  const [row] = await kernel.sql<{ count: number }[]>`
    select count(*) from journal.commands where type = ${type}`
  return row?.count ?? 0
}
const countOrders = () => countCommands('orders.place')

/** Sends bytes as they are and answers what came back until the other side closes or falls silent. */
async function speak(port: number, text: string, { hangUp = false } = {}): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let answer = ''
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      data: (_socket, data) => {
        answer += data.toString()
        resolve()
      },
      close: () => resolve(),
      error: () => resolve(),
    },
  })
  socket.write(text)
  socket.flush()
  if (hangUp) {
    await Bun.sleep(50)
    socket.terminate()
  }
  await Promise.race([promise, Bun.sleep(2_000)])
  socket.end()
  return answer
}

describe.each(['bun', 'deno'] as const)('the edge as a process of %s', runtime => {
  test('shows its figures on a port of their own, and nowhere unless it is set', async () => {
    await using edge = await start(runtime, { METRICS_PORT: '0' })
    expect((await place(edge)).status).toBe(202)
    expect((await fetch(`${edge.url}/nowhere`)).status).toBe(404)
    const scraped = await fetch(`http://127.0.0.1:${edge.metricsPort}/metrics`)
    const samples = parseMetrics(await scraped.text())
    const requests = (operation: string, status: string) =>
      figureOf(samples, 'waybill_http_requests_total', { operation, status })
    expect([requests('orders.place', '202'), requests('none', '404')]).toEqual([1, 1])
    expect(figureOf(samples, 'process_resident_memory_bytes')).toBeGreaterThan(0)
    expect((await fetch(`${edge.url}/metrics`)).status).toBe(404)

    await using silent = await start(runtime)
    expect(silent.metricsPort).toBeUndefined()
  })

  test('accepts a command that is worked, reads it back, and exits with 0 on SIGTERM', async () => {
    await using edge = await start(runtime)
    const placed = await place(edge, { prefer: 'wait=20' })
    expect(placed.status).toBe(200)
    const body = (await placed.json()) as { id: string; output: object }
    expect(body.output).toMatchObject({ orderId: body.id, totalMinor: 100 })
    expect(placed.headers.get('content-security-policy')).toContain("default-src 'none'")

    const refused = await place(edge, { prefer: 'wait=20' }, 10_000)
    expect([refused.status, refused.headers.get('content-type')]).toEqual([409, 'application/problem+json'])
    expect(await refused.json()).toMatchObject({
      code: 'out_of_stock',
      shortages: [{ sku, requested: 10_000 }],
    })

    const products = await fetch(`${edge.url}/v1/products`)
    expect(await products.json()).toMatchObject({ items: [{ sku, title: 'Mug' }] })
    expect(await (await fetch(`${edge.url}/readyz`)).json()).toMatchObject({ ready: true, redis: true })
    expect((await fetch(`${edge.url}/openapi.json`)).status).toBe(200)

    edge.kill('SIGTERM')
    expect(await edge.exited).toBe(0)
  })

  test('SIGTERM: what has begun is answered, then it exits with 0', async () => {
    await using edge = await start(runtime)
    const before = await countCommands('media.convert')
    // No worker of media runs here, so this one is held back until its time is up.
    const converting = fetch(`${edge.url}/v1/media/conversions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await tokenOf()}`,
        'content-type': 'application/json',
        'idempotency-key': uuidv7(),
        prefer: 'wait=2',
      },
      body: JSON.stringify({ uploadId: uuidv7(), preset: 'mp3-128' }),
    })
    while ((await countCommands('media.convert')) === before) await Bun.sleep(10)
    edge.kill('SIGTERM')
    const answer = await converting
    expect([answer.status, answer.headers.get('preference-applied')]).toEqual([202, 'wait=2'])
    expect(await edge.exited).toBe(0)
    await expect(fetch(`${edge.url}/livez`)).rejects.toThrow()
  })

  test('a body that is cut off is not a command', async () => {
    await using edge = await start(runtime)
    const before = await countOrders()
    const head = [
      'POST /v1/orders HTTP/1.1',
      'Host: edge',
      `Authorization: Bearer ${await tokenOf()}`,
      `Idempotency-Key: ${uuidv7()}`,
      'Content-Type: application/json',
    ]
    const body = JSON.stringify({ lines: [{ sku, quantity: 1 }], paymentMethod: 'pm_card_ok' })
    await speak(edge.port, [...head, 'Content-Length: 500', '', body].join('\r\n'), { hangUp: true })
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n`
    await speak(edge.port, [...head, 'Transfer-Encoding: chunked', '', chunk].join('\r\n'), { hangUp: true })
    const short = await speak(edge.port, [...head, 'Content-Length: 20', '', body].join('\r\n'))
    expect(short).toStartWith('HTTP/1.1 400')
    expect((await place(edge)).status).toBe(202)
    expect(await countOrders()).toBe(before + 1)
  })

  test('a body without an end is refused at the cap, while it arrives', async () => {
    await using edge = await start(runtime)
    const before = await countOrders()
    let sent = 0
    const endless = new ReadableStream({
      async pull(controller) {
        sent += 16_384
        controller.enqueue(new Uint8Array(16_384).fill(32))
        if (sent > 50_000_000) controller.close()
        await Bun.sleep(0)
      },
    })
    const answer = await fetch(`${edge.url}/v1/orders`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await tokenOf()}`,
        'content-type': 'application/json',
        'idempotency-key': uuidv7(),
      },
      body: endless,
    })
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([413, 'body_too_large'])
    expect(sent).toBeLessThan(50_000_000)
    expect(await countOrders()).toBe(before)
  })

  test('a wrong setting is one line that names it, and the exit code is 1', async () => {
    for (const [name, value] of [
      ['DATABASE_URL', 'mysql://x'],
      ['PORT', 'eighty'],
    ] as const) {
      const child = Bun.spawn([...runtimes[runtime], 'edge/index.ts'], {
        cwd: root,
        env: environment({ [name]: value }),
        stdout: 'pipe',
        stderr: 'pipe',
      })
      const said = await new Response(child.stderr).text()
      expect(await child.exited).toBe(1)
      expect(said.trim().split('\n').length).toBe(1)
      expect(said).toContain(`setting ${name}`)
    }
  })
})
