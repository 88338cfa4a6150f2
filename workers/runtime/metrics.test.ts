import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { charge } from '../../queues/payments.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { figureOf, labelsOf, parseMetrics } from '../../test/metrics.ts'
import { paymentsService } from '../payments/index.ts'
import { guarded } from './http.ts'
import { createMetrics } from './metrics.ts'

const scrapeOf = async (response: Promise<Response>) => {
  const answer = await response
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  return parseMetrics(await answer.text())
}

describe('a process of services', () => {
  let kernel: TestKernel
  beforeAll(async () => {
    kernel = await testKernel({ services: [paymentsService], invariantsEveryMs: 60_000 })
  })
  afterAll(() => kernel.stop())
  const scrape = () => scrapeOf(kernel.services.metrics.scrape())
  const scrapeWithReading = async () => {
    for (;;) {
      const samples = await scrape()
      if (
        figureOf(samples, 'waybill_journal_readable') === 1 &&
        labelsOf(samples, 'waybill_invariant_holds').length > 0
      )
        return samples
      await Bun.sleep(50)
    }
  }
  const pay = (paymentMethod: string) =>
    kernel.run(charge, {
      orderId: uuidv7(),
      customerId: uuidv7(),
      attempt: 1,
      amountMinor: 100,
      currency: 'EUR',
      paymentMethod,
    })

  test('counts its commands by how they ended, and how long they took', async () => {
    await pay('pm_card_ok')
    await pay('pm_card_ok')
    const samples = await scrape()
    const of = { type: 'payments.charge', outcome: 'succeeded' }
    expect(figureOf(samples, 'waybill_commands_settled_total', of)).toBe(2)
    expect(figureOf(samples, 'waybill_command_seconds_count', { type: 'payments.charge' })).toBe(2)
    expect(figureOf(samples, 'waybill_command_seconds_bucket', { type: 'payments.charge', le: '+Inf' })).toBe(
      2,
    )
  })

  test('tells of memory and of the event loop, and of no figure that its runtime does not have', async () => {
    const samples = await scrape()
    expect(figureOf(samples, 'process_resident_memory_bytes')).toBeGreaterThan(1_000_000)
    expect(figureOf(samples, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0)
    expect(labelsOf(samples, 'nodejs_heap_space_size_total_bytes')).toEqual([])
  })

  test('tells what waits and since when, what died, and whether everything holds', async () => {
    const settled = await kernel.sql`select id from journal.commands limit 1`
    await kernel.sql`insert into journal.dead_letters (command_id, type, fingerprint, error)
      values (${settled[0]?.id}, 'payments.charge', 'f', '{}')`
    const samples = await scrapeWithReading()
    const service = 'payments'
    expect(figureOf(samples, 'waybill_dead_letters', { service })).toBe(1)
    for (const state of ['due', 'running', 'later'])
      expect(figureOf(samples, 'waybill_queue_commands', { service, state })).toBeGreaterThanOrEqual(0)
    expect(figureOf(samples, 'waybill_queue_oldest_due_seconds', { service })).toBeGreaterThanOrEqual(0)
    expect(figureOf(samples, 'waybill_invariant_holds', { name: 'stock' })).toBe(1)
    expect(
      figureOf(samples, 'waybill_invariant_checked_timestamp_seconds', { name: 'stock' }),
    ).toBeGreaterThan(1e9)
  })

  test('one process looks at the invariants, and the others have nothing to do for as long', async () => {
    const sql = kernel.database.sql('orders')
    await kernel.sql`update ops.looks set begun_at = '-infinity'`
    const asked = await Promise.all(
      Array.from({ length: 10 }, () => sql`select ops.begin_look(60000) as mine`.then(([row]) => row?.mine)),
    )
    expect(asked.filter(mine => mine)).toHaveLength(1)
  })

  test('/metrics is for the private side, beside health; what customers may read asks for the secret', async () => {
    const health = { ailments: async () => [], breakers: () => [], metrics: kernel.services.metrics.scrape }
    const answer = guarded(kernel.services.routesOf('payments'), 'secret', health)
    const scraped = await scrapeOf(answer(new Request('http://payments/metrics')))
    expect(labelsOf(scraped, 'waybill_commands_settled_total').length).toBeGreaterThan(0)
    expect((await answer(new Request('http://payments/payments'))).status).toBe(401)
  })
})

describe('text', () => {
  const none = { services: ['orders'], breakers: () => [], lastReading: () => null }

  test('every line is one that Prometheus reads, whatever a label is made of', async () => {
    const metrics = createMetrics({
      ...none,
      breakers: () => [
        {
          name: 'a"b\\c\nd{e}',
          state: 'half_open',
          since: new Date(0),
          calls: 3,
          failures: 2,
          windowMs: 20_000,
          lastFailure: null,
          nextTryAt: null,
          because: null,
        },
      ],
    })
    const samples = await scrapeOf(metrics.scrape())
    const breaker = 'a"b\\c\nd{e}'
    expect(figureOf(samples, 'waybill_breaker_calls', { breaker })).toBe(3)
    expect(figureOf(samples, 'waybill_breaker_state', { breaker, state: 'half_open' })).toBe(1)
    expect(figureOf(samples, 'waybill_breaker_state', { breaker, state: 'closed' })).toBe(0)
  })

  test('while the database says nothing, its figures are absent rather than old', async () => {
    let reading: Parameters<typeof createMetrics>[0]['lastReading'] = () => ({
      queues: [],
      deadLetters: [],
      findings: [{ name: 'stock', holds: false, checkedAt: new Date(1_000) }],
    })
    const metrics = createMetrics({ ...none, lastReading: () => reading() })
    const before = await scrapeOf(metrics.scrape())
    expect(figureOf(before, 'waybill_invariant_holds', { name: 'stock' })).toBe(0)
    expect(figureOf(before, 'waybill_queue_commands', { service: 'orders', state: 'due' })).toBe(0)
    reading = () => null
    const after = await scrapeOf(metrics.scrape())
    expect(figureOf(after, 'waybill_journal_readable')).toBe(0)
    for (const name of ['waybill_invariant_holds', 'waybill_queue_commands', 'waybill_dead_letters'])
      expect(labelsOf(after, name)).toEqual([])
  })

  test('two processes in one count apart', async () => {
    const [one, other] = [createMetrics(none), createMetrics(none)]
    one.settled('orders.place', 'succeeded', 12)
    const of = { type: 'orders.place', outcome: 'succeeded' }
    expect(figureOf(await scrapeOf(one.scrape()), 'waybill_commands_settled_total', of)).toBe(1)
    expect(labelsOf(await scrapeOf(other.scrape()), 'waybill_commands_settled_total')).toEqual([])
  })
})
