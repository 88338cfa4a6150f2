import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestDatabase, testDatabase, testRedis } from '../test/harness.ts'
import { figureOf, parseMetrics } from '../test/metrics.ts'
import { launch } from './launched.fixture.ts'

// Made for slow disks, not as an expectation.
setDefaultTimeout(120_000)

let database: TestDatabase
const dir = mkdtempSync(join(tmpdir(), 'waybill-single-'))
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(async () => {
  await database.drop()
  rmSync(dir, { recursive: true, force: true })
})

describe('everything in one process', () => {
  test('serves the API and its reads, and on SIGTERM ends with 0', async () => {
    const single = launchSingle({ METRICS_PORT: '0' })
    await single.until('"msg":"ready"')
    const port = /"port":(\d+),"msg":"ready"/.exec(single.output())?.[1]
    const at = `http://127.0.0.1:${port}`
    expect(await (await fetch(`${at}/readyz`)).json()).toEqual({
      ready: true,
      postgres: true,
      redis: true,
      draining: false,
    })
    expect(await (await fetch(`${at}/v1/products`)).json()).toEqual({ items: [], nextCursor: null })

    const account = { email: 'kim@example.com', password: 'a-long-password', name: 'Kim' }
    const headers = { 'content-type': 'application/json' }
    const registered = await fetch(`${at}/v1/accounts`, {
      method: 'POST',
      headers,
      body: JSON.stringify(account),
    })
    expect(registered.status).toBe(201)
    const sql = database.sql()
    const isContactSaved = () => sql`select from journal.commands
      where type = 'notifications.save-contact' and state = 'succeeded'`
    while ((await isContactSaved()).count === 0) await Bun.sleep(20)

    const metricsPort = /"metricsPort":(\d+)/.exec(single.output())?.[1]
    const samples = parseMetrics(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text())
    const asked = { operation: 'accounts.register', status: '201' }
    expect(figureOf(samples, 'waybill_http_requests_total', asked)).toBe(1)
    const saved = { type: 'notifications.save-contact', outcome: 'succeeded' }
    expect(figureOf(samples, 'waybill_commands_settled_total', saved)).toBe(1)
    expect((await fetch(`${at}/metrics`)).status).toBe(404)

    single.kill('SIGTERM')
    expect(await single.exited).toBe(0)
  })

  test('without a setting that it needs: one line that names it, and 1', async () => {
    const single = launchSingle({ DATABASE_URL: '' })
    expect(await single.exited).toBe(1)
    expect(single.output()).toMatch(/^setting DATABASE_URL: .*\n$/)
  })

  test('in production it refuses secrets that everybody knows', async () => {
    const single = launchSingle({ NODE_ENV: 'production' })
    expect(await single.exited).toBe(1)
    expect(single.output()).toMatch(/^setting INTERNAL_SECRET: .*\n$/)
  })
})

function launchSingle(env: Readonly<Record<string, string>> = {}) {
  const { url, prefix } = testRedis()
  const own = { DATABASE_URL: database.url, REDIS_URL: url, QUEUE_PREFIX: prefix, MEDIA_DIR: dir, PORT: '0' }
  return launch([join(import.meta.dir, 'single.ts')], { ...process.env, ...own, ...env })
}
