import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { Enqueued } from '../../queues/journal.ts'
import type { collectEvents } from '../../queues/payments.ts'
import { type TestDatabase, testDatabase } from '../../test/harness.ts'
import { reconcile as readReconciliation } from './ledger.ts'
import { serviceAt } from './operations.fixture.ts'
import { scriptedProvider } from './scripted.fixture.ts'
import { createTakeEvent } from './webhooks.ts'

/** Nobody is at work on this database but the test. */
let database: TestDatabase
let sql: Sql
let owner: Sql
beforeAll(async () => {
  database = await testDatabase()
  sql = database.sql('payments')
  owner = database.sql()
})
afterAll(() => database.drop())

const scripted = scriptedProvider()
const enqueued: Enqueued[] = []
const take = (event: object, { signature = 'good', provider = 'scripted' } = {}) =>
  createTakeEvent(
    { sql, newId: uuidv7, now: () => new Date(), enqueue: each => enqueued.push(...each) },
    name => (name === 'scripted' ? scripted.provider : null),
  )(
    provider,
    new TextEncoder().encode(JSON.stringify(event)),
    new Headers({ 'x-scripted-signature': signature }),
  )
const kept = async () =>
  (await owner`select event_id, payment_id from payments.provider_events order by received_at`).map(each => ({
    ...each,
  }))
const commands = async () =>
  (
    await owner`select input, correlation_id from journal.commands where type = 'payments.observe' order by id`
  ).map(each => ({ ...each }))

describe('a webhook of a provider', () => {
  test('is kept, and asks once for a look at its payment, however often it comes', async () => {
    const shop = serviceAt(sql, scripted.provider)
    const { paymentId } = await shop.charge()
    const { orderId } = await shop.stateOf(paymentId)
    const event = { id: uuidv7(), kind: 'charge.disputed', chargeKey: `charge:${paymentId}` }
    const answers = await Promise.all([take(event), take(event), take(event)])
    expect(answers).toEqual(['kept', 'kept', 'kept'])
    expect(await kept()).toEqual([{ event_id: event.id, payment_id: paymentId }])
    expect(await commands()).toEqual([{ input: { paymentId }, correlation_id: orderId }])
    expect(enqueued).toMatchObject([{ type: 'payments.observe' }])
  })
  test('that names the charge by the provider’s own id alone finds it', async () => {
    const shop = serviceAt(sql, scripted.provider)
    const { paymentId } = await shop.charge()
    const { reference } = await shop.stateOf(paymentId)
    await take({ id: uuidv7(), kind: 'charge.disputed', reference })
    expect((await commands()).at(-1)).toMatchObject({ input: { paymentId } })
  })
  test('about no payment of ours is kept and counted, and nothing is asked', async () => {
    const before = (await commands()).length
    expect(await take({ id: uuidv7(), kind: 'charge.captured', chargeKey: `charge:${uuidv7()}` })).toBe(
      'kept',
    )
    expect(await take({ id: uuidv7(), kind: 'balance.available' })).toBe('kept')
    expect((await commands()).length).toBe(before)
    expect(await readReconciliation(sql, { cursor: null, limit: 10 })).toMatchObject({ unmatchedEvents: 2 })
  })
  test('that was lost is collected: payments.collect-events finds it at its provider, once, even if it comes after all', async () => {
    const shop = serviceAt(sql, scripted.provider)
    const { paymentId } = await shop.charge()
    const before = (await commands()).length
    const about = { id: uuidv7(), kind: 'charge.disputed', chargeKey: `charge:${paymentId}`, reference: null }
    scripted.miss({ ...about, at: new Date() })
    const collect = () => shop.run<typeof collectEvents>('payments.collect-events', {})
    expect(await collect()).toMatchObject({ output: { events: 1, unanswered: 0 } })
    expect(await collect()).toMatchObject({ output: { events: 0, unanswered: 0 } }) // twice is once
    await take(about)
    expect((await commands()).slice(before)).toMatchObject([{ input: { paymentId } }])
  })
  test('cannot be collected from a provider that does not answer: it is asked again by the clock', async () => {
    scripted.fail('missed', 'before')
    const collected = await serviceAt(sql, scripted.provider).run<typeof collectEvents>(
      'payments.collect-events',
      {},
    )
    expect(collected).toMatchObject({ output: { events: 0, unanswered: 1 } })
  })
  test('that nobody signed, or of a provider that is not there, leaves nothing behind', async () => {
    const before = await kept()
    const event = { id: uuidv7(), kind: 'charge.captured' }
    expect(await take(event, { signature: 'bad' })).toBe('bad_signature')
    expect(await take(event, { provider: 'paypal' })).toBe('no_provider')
    expect(await kept()).toEqual(before)
  })
})
