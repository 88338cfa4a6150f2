import { afterAll, beforeAll, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { Command, InputOf } from '../../queues/command.ts'
import type { Outcome } from '../../queues/outcome.ts'
import { type TestDatabase, testDatabase } from '../../test/harness.ts'
import { randomFrom } from '../../test/random.ts'
import { serviceAt } from './operations.fixture.ts'
import { scriptedProvider } from './scripted.fixture.ts'

const seed = 20_261
const paymentsMax = 40

let database: TestDatabase
let sql: Sql
let owner: Sql
beforeAll(async () => {
  database = await testDatabase()
  sql = database.sql('payments')
  owner = database.sql()
})
afterAll(() => database.drop())

/** What was told of a payment: by the commands of the test, and by what they resolved on the way. */
const toldOf = async (paymentId: string, outcomes: readonly Outcome[]) => {
  const recorded = await owner<{ name: string; payload: { amountMinor: number } }[]>`
    select type as name, payload from journal.events where payload ->> 'paymentId' = ${paymentId}`
  const emitted = outcomes.flatMap(each => (each.kind === 'done' ? each.emit : []))
  const all = [
    ...recorded,
    ...emitted.map(each => ({ name: each.event.name, payload: each.payload as { amountMinor: number } })),
  ]
  return (name: string) =>
    all.filter(each => each.name === name).reduce((sum, each) => sum + each.payload.amountMinor, 0)
}

const broken = async () => {
  const names = ['captures', 'refunds', 'splits', 'disputes', 'ledger', 'balances', 'statements']
  const found = await Promise.all(
    names.map(
      name =>
        owner<{ what: string }[]>`select what from ${owner(`invariants.${name}`)}('2020-01-01') as what`,
    ),
  )
  return found.flatMap((rows, at) => rows.map(({ what }) => `${names[at]}: ${what}`))
}

test(`captures, voids, refunds and looks at one payment at once, at a provider that falls silent before or after it acts: provider and books agree (seed ${seed})`, async () => {
  const chance = randomFrom(seed)
  const upTo = (most: number) => Math.floor(chance() * (most + 1))
  let resolved = 0
  for (let n = 0; n < paymentsMax; n++) {
    const scripted = scriptedProvider({ severalCaptures: n % 3 !== 0 })
    const shop = serviceAt(sql, scripted.provider)
    const amountMinor = 1 + upTo(5_000)
    const storeMinor = upTo(amountMinor)
    const storeId = uuidv7()
    const split = [
      { account: `store:${storeId}`, amountMinor: storeMinor },
      { account: 'tax:DE', amountMinor: amountMinor - storeMinor },
    ]
    const { paymentId, outcome: charged } = await shop.charge({ amountMinor, storeId, split })
    const outcomes: Outcome[] = [charged]
    scripted.failBy(() => (chance() < 0.4 ? (chance() < 0.5 ? 'before' : 'after') : null))

    /** As the kernel would: again after `later`, again after an error, always the same command. */
    const carryOn = async <C extends Command>(name: Parameters<typeof shop.run>[0], input: InputOf<C>) => {
      const id = uuidv7()
      for (let run = 1; run < 200; run++) {
        const outcome = await shop.run<C>(name, input, { id, run }).catch(() => null)
        if (run > 20) scripted.failBy(null)
        if (outcome === null || outcome.kind === 'later') {
          resolved++
          await Bun.sleep(upTo(3))
        } else return void outcomes.push(outcome)
      }
      throw new Error(`${name} of payment ${n} does not end`)
    }
    const operations = [
      () =>
        carryOn('payments.capture', {
          paymentId,
          amountMinor: 1 + upTo(amountMinor),
          isFinal: chance() < 0.2,
        }),
      () => carryOn('payments.capture', { paymentId, amountMinor: 1 + upTo(Math.ceil(amountMinor / 3)) }),
      () =>
        carryOn('payments.refund', {
          paymentId,
          amountMinor: 1 + upTo(Math.ceil(amountMinor / 3)),
          reason: 'a test',
        }),
      () => carryOn('payments.refund', { paymentId, amountMinor: 1 + upTo(amountMinor), reason: 'a test' }),
      () => carryOn('payments.observe', { paymentId }),
      async () => scripted.answerRefunds(chance() < 0.3 ? 'pending' : 'refunded'),
      ...(n % 4 === 0 ? [() => carryOn('payments.void', { paymentId, reason: 'a test' })] : []),
    ]
    await Promise.all(
      Array.from({ length: 14 }, async () => {
        await Bun.sleep(upTo(20))
        await operations[upTo(operations.length - 1)]?.()
      }),
    )
    scripted.failBy(null)
    for (const refund of scripted.kept(paymentId).refunds)
      if (refund.status === 'pending') refund.status = chance() < 0.5 ? 'succeeded' : 'failed'
    await carryOn('payments.observe', { paymentId })

    const state = await shop.stateOf(paymentId)
    const told = await toldOf(paymentId, outcomes)
    expect(state).toMatchObject({
      capturedMinor: scripted.takenFrom(paymentId),
      refundedMinor: scripted.backTo(paymentId),
      capturePendingMinor: 0,
      refundPendingMinor: 0,
      ending: null,
    })
    expect([told('payment.captured'), told('payment.refunded')]).toEqual([
      state.capturedMinor,
      state.refundedMinor,
    ])
    expect(told('payment.voided')).toBe(state.status === 'voided' ? amountMinor : 0)
    expect(state.capturedMinor).toBeLessThanOrEqual(amountMinor)
    expect(state.refundedMinor).toBeLessThanOrEqual(state.capturedMinor)
  }
  expect(await broken()).toEqual([])
  expect(resolved).toBeGreaterThan(paymentsMax)
})
