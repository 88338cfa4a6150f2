import { afterAll, beforeAll, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { charge, refund, rollUpLedger } from '../../queues/payments.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { randomFrom } from '../../test/random.ts'
import { chargesOf } from '../../test/simulator.ts'
import { broken } from '../../test/trade.ts'
import { paymentsService } from './index.ts'
import { readBalances, reconcile } from './ledger.ts'
import { trialBalanceOf } from './posting.ts'
import { totalsOf } from './simulator/ledger.ts'

const seed = 4_711
const cards = ['pm_card_ok', 'pm_card_ok', 'pm_card_ok', 'pm_card_declined', 'pm_card_timeout']
const currencies = ['EUR', 'JPY', 'KWD']

let kernel: TestKernel
beforeAll(async () => {
  kernel = await testKernel({
    services: [paymentsService],
    env: { PAYMENT_TIMEOUT_MS: '250', PAYMENT_INQUIRIES_MS: `20,50,100${',400'.repeat(20)}` },
  })
})
afterAll(() => kernel.stop())

test(`whatever is captured, declined and refunded, the books agree with the provider (seed ${seed})`, async () => {
  const chance = randomFrom(seed)
  const upTo = (most: number) => Math.floor(chance() * (most + 1))
  const pick = <T>(from: readonly T[]): T => from[upTo(from.length - 1)] as T
  const known: string[] = []

  const take = async () => {
    const { id } = await kernel.run(charge, {
      orderId: uuidv7(),
      attempt: 1,
      customerId: uuidv7(),
      amountMinor: pick([0, 1, upTo(10_000), 2 ** 40]),
      currency: pick(currencies),
      paymentMethod: pick(cards),
    })
    known.push(id)
  }
  const giveBack = async () => {
    const paymentId = known.length > 0 ? pick(known) : uuidv7()
    const amountMinor = 1 + upTo(pick([0, 100, 10_000]))
    await kernel.run(refund, { paymentId, requestId: uuidv7(), amountMinor, reason: 'a test' })
  }
  const operations = [take, take, take, giveBack, giveBack, () => kernel.run(rollUpLedger, {})]
  const customer = async () => {
    for (let n = 0; n < 20; n++) await pick(operations)()
  }
  const reader = async () => {
    for (let n = 0; n < 20; n++) {
      expectZeroSum(trialBalanceOf(await readBalances(kernel.sql)))
      expect((await reconcile(kernel.sql, { cursor: null, limit: 1_000 })).items).toEqual([])
      await Bun.sleep(upTo(50))
    }
  }
  await Promise.all([...Array.from({ length: 16 }, customer), reader()])
  await kernel.idle(10_000)

  expect(await broken(kernel.sql)).toEqual([])
  const trial = trialBalanceOf(await readBalances(kernel.sql))
  expectZeroSum(trial)
  const held = trial.currencies.map(({ currency, accounts }) => ({
    currency,
    minor: accounts.find(({ account }) => account === 'provider:simulator')?.balanceMinor,
  }))
  expect(held).toEqual(await heldByProvider(kernel))
  expect(held).toHaveLength(currencies.length)
})

function expectZeroSum({ currencies }: ReturnType<typeof trialBalanceOf>): void {
  for (const { debitsMinor, creditsMinor, accounts } of currencies) {
    expect(debitsMinor).toBe(creditsMinor)
    expect(accounts.reduce((sum, { balanceMinor }) => sum + balanceMinor, 0)).toBe(0)
  }
}

/** What the simulator itself has taken and not sent back. */
async function heldByProvider({ sql }: TestKernel) {
  const payments = await sql<{ id: string }[]>`select id from payments.payments`
  const { currencies } = totalsOf(chargesOf(payments.map(({ id }) => id)))
  return Object.entries(currencies)
    .map(([currency, { capturedMinor, refundedMinor }]) => ({
      currency,
      minor: capturedMinor - refundedMinor,
    }))
    .toSorted((one, other) => one.currency.localeCompare(other.currency))
}
