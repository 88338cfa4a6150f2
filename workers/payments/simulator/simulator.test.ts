import { afterAll, afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BadSignature } from '../provider.ts'
import { createSimulator } from '../providers/simulator.ts'
import { type Simulator, type SimulatorOptions, startSimulator } from './server.ts'
import { signatureHeader, signatureOf } from './signature.ts'

const folder = mkdtempSync(join(tmpdir(), 'simulator-'))
afterAll(() => rmSync(folder, { recursive: true }))
const secret = 'a secret of this test'
const { signal } = new AbortController()
const running: { stop: () => Promise<void> }[] = []
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop()
})
const start = (options: Partial<SimulatorOptions> = {}) => {
  const simulator = startSimulator({ webhookSecret: secret, laterMs: 600_000, ...options })
  running.push(simulator)
  return simulator
}
const client = ({ url }: Simulator) => createSimulator({ url, webhookSecret: secret })
const charge = (key: string, paymentMethod = 'pm_card_ok') =>
  ({ key, amountMinor: 700, currency: 'EUR', paymentMethod, capture: 'automatic' }) as const
const post = (simulator: Simulator, path: string, body?: object) =>
  fetch(`${simulator.url}${path}`, { method: 'POST', ...(body && { body: JSON.stringify(body) }) })

/** Takes webhooks as the shop would, and answers with `status`. */
function shop(status: () => number = () => 200) {
  const got: { readonly raw: Uint8Array; readonly headers: Headers; readonly key: string }[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async request => {
      const raw = await request.bytes()
      got.push({ raw, headers: request.headers, key: JSON.parse(new TextDecoder().decode(raw)).chargeKey })
      return new Response(null, { status: status() })
    },
  })
  running.push({ stop: () => server.stop(true) })
  const arrived = async (count: number) => {
    for (const deadline = Date.now() + 10_000; got.length < count; await Bun.sleep(5))
      if (Date.now() > deadline) throw new Error(`${got.length} webhooks came instead of ${count}`)
  }
  return { url: server.url.href, got, arrived }
}

describe('its memory', () => {
  test('what it answered before it was killed it knows after, under the same key, and it goes on with it', async () => {
    const file = join(folder, 'killed.sqlite')
    const port = await spawned(file)
    const first = createSimulator({ url: port.url, webhookSecret: secret })
    const [taken, challenged, disputed] = [
      charge('a'),
      charge('b', 'pm_card_3ds'),
      charge('c', 'pm_card_dispute'),
    ]
    const answers = await Promise.all([taken, challenged, disputed].map(each => first.charge(each, signal)))
    const refund = { key: 'r', charge: { key: 'a', reference: null }, amountMinor: 100, currency: 'EUR' }
    const refunded = await first.refund(refund, signal)
    const views = await Promise.all(['a', 'c'].map(key => first.find({ key, reference: null }, signal)))
    await port.kill()

    const simulator = start({ file })
    const again = client(simulator)
    expect(await again.find({ key: 'a', reference: null }, signal)).toEqual(views[0] as never)
    expect(await again.find({ key: 'c', reference: null }, signal)).toEqual(views[1] as never)
    expect(await again.charge(taken, signal)).toEqual(answers[0] as never)
    expect(await again.refund(refund, signal)).toEqual(refunded)
    await post(simulator, `/challenges/${answers[1]?.reference}?`, undefined)
    expect(await again.find({ key: 'b', reference: null }, signal)).toMatchObject({
      answer: { kind: 'declined' },
    })
    await post(simulator, '/charges/c/hurry')
    expect(await again.find({ key: 'c', reference: null }, signal)).toMatchObject({
      disputes: [{ status: 'needs_response' }],
    })
  })

  test('an event that nobody took is sent after a restart', async () => {
    const file = join(folder, 'events.sqlite')
    const closed = startSimulator({ file, webhookSecret: secret, webhookUrl: 'http://127.0.0.1:9/' })
    await client(closed).charge(charge('a'), signal)
    await closed.stop()
    const { url, got, arrived } = shop()
    start({ file, webhookUrl: url })
    await arrived(1)
    expect(got[0]?.key).toBe('a')
  })
})

describe('the ledger', () => {
  test('says what was charged, captured and refunded, and how often it was asked', async () => {
    const simulator = start()
    const at = client(simulator)
    for (const key of ['a', 'a', 'b']) await at.charge(charge(key), signal)
    await at.charge(charge('c', 'pm_card_declined'), signal)
    await at.refund(
      { key: 'r', charge: { key: 'a', reference: null }, amountMinor: 50, currency: 'EUR' },
      signal,
    )
    const read = async (path: string) => (await fetch(`${simulator.url}${path}`)).json()
    expect(await read('/ledger/totals')).toMatchObject({
      charges: 3,
      calls: 4,
      statuses: { captured: 2, declined: 1 },
      currencies: { EUR: { capturedMinor: 1_400, refundedMinor: 50 } },
    })
    const { charges } = await read('/ledger')
    expect(charges.map((each: { key: string; calls: number }) => [each.key, each.calls])).toEqual([
      ['a', 2],
      ['b', 1],
      ['c', 1],
    ])
    expect(charges[0]).not.toHaveProperty('answers')
  })
})

describe('requests that are not right are refused, and change nothing', () => {
  const good = { amountMinor: 1, currency: 'EUR', paymentMethod: 'pm_card_ok', capture: 'automatic' }
  for (const [what, key, body] of [
    ['no key', '', good],
    ['no amount', 'k', { ...good, amountMinor: undefined }],
    ['an amount of zero', 'k', { ...good, amountMinor: 0 }],
    ['a fraction', 'k', { ...good, amountMinor: 1.5 }],
    ['a currency in small letters', 'k', { ...good, currency: 'eur' }],
    ['a field that it does not know', 'k', { ...good, tip: 1 }],
  ] as const)
    test(what, async () => {
      const simulator = start()
      const response = await fetch(`${simulator.url}/charges`, {
        method: 'POST',
        headers: { 'idempotency-key': key },
        body: JSON.stringify(body),
      })
      expect([response.status, [...simulator.charges()]]).toEqual([400, []])
    })
  test('a body that is no JSON', async () => {
    const simulator = start()
    const response = await fetch(`${simulator.url}/charges`, {
      method: 'POST',
      headers: { 'idempotency-key': 'k' },
      body: '{',
    })
    expect(response.status).toBe(400)
  })
})

describe('webhooks', () => {
  test('are signed, name the charge by our key, and are sent until they are answered with 2xx', async () => {
    let status = 503
    const { url, got, arrived } = shop(() => status)
    const simulator = start({ webhookUrl: url })
    await client(simulator).charge(charge('a'), signal)
    await arrived(2)
    status = 200
    const [{ raw, headers } = { raw: new Uint8Array(), headers: new Headers() }] = got
    const event = await client(simulator).readEvent(raw, headers, new Date())
    expect(event).toMatchObject({
      kind: 'charge.captured',
      chargeKey: 'a',
      reference: expect.stringMatching(/^ch_/),
    })
    expect(new Set(got.map(each => new TextDecoder().decode(each.raw))).size).toBe(1)
  })
  test('news: what came as an answer is not told again, unless the answer was lost', async () => {
    const { url, got, arrived } = shop()
    const simulator = start({ webhookUrl: url, webhooks: 'news' })
    const at = client(simulator)
    await at.charge(charge('answered'), signal)
    await at.charge(charge('lost', 'pm_card_cut'), signal).catch(() => {})
    const asked = await at.charge(charge('challenged', 'pm_card_3ds'), signal)
    const page = await (await fetch(`${simulator.url}/challenges/${asked.reference}`)).text()
    expect(page).toContain('Pay €7.00?')
    await fetch(`${simulator.url}/challenges/${asked.reference}`, {
      method: 'POST',
      body: new URLSearchParams({ answer: 'approve' }),
    })
    await arrived(2)
    await Bun.sleep(50)
    expect(got.map(({ key }) => key).sort()).toEqual(['challenged', 'lost'])
  })
  const order = async (how: string, times: number, delayMs = 1) => {
    const { url, got, arrived } = shop()
    const simulator = start({ webhookUrl: url })
    await post(simulator, '/misbehave', { operation: 'webhook', how, times, delayMs })
    for (const key of ['a', 'b', 'c']) {
      await client(simulator).charge(charge(key), signal)
      await Bun.sleep(20)
    }
    return { simulator, got, arrived }
  }
  const keys = (got: readonly { readonly key: string }[]) => got.map(({ key }) => key).join('')

  test('that nobody took can be asked for, until somebody does', async () => {
    const since = new Date(Date.now() - 60_000)
    const { simulator, arrived } = await order('lose', 2)
    await arrived(1)
    await Bun.sleep(50)
    const missed = () => client(simulator).missedEvents(since, signal)
    expect((await missed()).map(({ chargeKey }) => chargeKey)).toEqual(['b', 'a'])
    expect(await client(simulator).missedEvents(new Date(Date.now() + 60_000), signal)).toEqual([])
  })
  test('duplicate: the same event comes twice', async () => {
    const { got, arrived } = await order('duplicate', 3)
    await arrived(6)
    expect(keys(got).split('').sort().join('')).toBe('aabbcc')
  })
  test('reorder: the next ones overtake it', async () => {
    const { got, arrived } = await order('reorder', 2, 60_000)
    await arrived(3)
    expect(keys(got)).toBe('cba')
  })
  test('delay: it comes late', async () => {
    const { got, arrived } = await order('delay', 1, 300)
    await arrived(3)
    expect(keys(got)).toBe('bca')
  })
  test('lose: it never comes', async () => {
    const { got, arrived } = await order('lose', 2)
    await arrived(1)
    expect(keys(got)).toBe('c')
  })
  for (const how of ['bad_signature', 'old_timestamp'])
    test(`${how}: it is refused by whoever reads it`, async () => {
      const { simulator, got, arrived } = await order(how, 1)
      await arrived(3)
      const reads = await Promise.all(
        got.map(({ raw, headers }) =>
          client(simulator)
            .readEvent(raw, headers, new Date())
            .then(
              event => event.chargeKey,
              error => error,
            ),
        ),
      )
      expect(reads).toEqual([expect.any(BadSignature), 'b', 'c'])
    })
  test('a signature holds for these bytes, this secret and five minutes', async () => {
    const at = createSimulator({ url: 'http://unused', webhookSecret: secret })
    const raw = new TextEncoder().encode(
      JSON.stringify({ id: 'e', kind: 'k', at: new Date(0).toISOString() }),
    )
    const read = (signature: string | null, bytes = raw, seconds = 0) =>
      at.readEvent(
        bytes,
        new Headers(signature === null ? {} : { [signatureHeader]: signature }),
        new Date(seconds * 1_000),
      )
    const right = signatureOf(raw, secret, 0)
    expect(await read(right)).toMatchObject({ id: 'e' })
    expect(await read(right, raw, 300)).toMatchObject({ id: 'e' })
    for (const wrong of [
      () => read(right, raw, 301),
      () => read(right, new Uint8Array([...raw, 32])),
      () => read(signatureOf(raw, 'another secret', 0)),
      () => read(null),
      () => read(''),
      () => read('t=0,v1=00'),
    ])
      await expect(wrong()).rejects.toBeInstanceOf(BadSignature)
  })
})

test('its front page shows every card and its controls', async () => {
  const page = await (await fetch(start().url)).text()
  for (const each of ['pm_card_timeout_before', 'POST /misbehave', 'bad_signature'])
    expect(page).toContain(each)
})

/** The simulator as a process of its own, to be killed. */
async function spawned(file: string) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'serve.ts')], {
    env: { ...process.env, PORT: '0', SIMULATOR_FILE: file, SIMULATOR_WEBHOOK_SECRET: secret },
    stdout: 'pipe',
  })
  const { value } = await child.stdout.getReader().read()
  const { url } = JSON.parse(new TextDecoder().decode(value)) as { url: string }
  return {
    url,
    kill: async () => {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}
