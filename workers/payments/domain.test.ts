import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { readPaymentSettings } from './config.ts'
import { inquiryDelayMs, statusOf } from './domain.ts'
import { type AccountSums, trialBalanceOf } from './posting.ts'

describe('the schedule of inquiries', () => {
  const { inquiriesMs } = readPaymentSettings({})
  test('asks after 10 s, 30 s, 2 min, 10 min, 1 h, 6 h and 24 h, then calls for a person', () => {
    const [second, minute, hour] = [1_000, 60_000, 3_600_000]
    const all = [1, 2, 3, 4, 5, 6, 7, 8].map(unanswered => inquiryDelayMs(unanswered, inquiriesMs))
    expect(all).toEqual([10 * second, 30 * second, 2 * minute, 10 * minute, hour, 6 * hour, 24 * hour, null])
  })
  test('of any settings has as many waits as are listed, in their order', () => {
    const delays = fc.array(fc.integer({ min: 0, max: 999_999_999 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(delays, fc.integer({ min: 1, max: 40 }), (listed, unanswered) => {
        const settings = readPaymentSettings({ PAYMENT_INQUIRIES_MS: listed.join(',') })
        expect(inquiryDelayMs(unanswered, settings.inquiriesMs)).toBe(listed[unanswered - 1] ?? null)
      }),
    )
  })
  test('that is malformed stops the start with a line that names it', () => {
    expect(() => readPaymentSettings({ PAYMENT_INQUIRIES_MS: '10s' })).toThrow('PAYMENT_INQUIRIES_MS')
    expect(() => readPaymentSettings({ PAYMENT_TIMEOUT_MS: '30000' })).toThrow('PAYMENT_TIMEOUT_MS')
  })
})

test('a payment is refunded when all of it went back, partially before, and captured when nothing did', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.nat(10_000), (capturedMinor, part) => {
      const refundedMinor = Math.min(part, capturedMinor)
      const status = statusOf({ status: 'captured', capturedMinor, refundedMinor, disputeStatus: null })
      if (refundedMinor === 0) expect(status).toBe('captured')
      else expect(status).toBe(refundedMinor === capturedMinor ? 'refunded' : 'partially_refunded')
    }),
  )
  for (const status of ['processing', 'unknown', 'declined'] as const) {
    expect(statusOf({ status, capturedMinor: 0, refundedMinor: 0, disputeStatus: null })).toBe(status)
  }
})

test('whatever is posted, the balances of a currency add up to zero, and its debits and credits are equal', () => {
  const posted = fc.record({
    kind: fc.constantFrom('capture' as const, 'refund' as const),
    currency: fc.constantFrom('EUR', 'JPY', 'KWD'),
    amountMinor: fc.integer({ min: 1, max: 2 ** 45 }),
  })
  fc.assert(
    fc.property(fc.array(posted, { maxLength: 50 }), transfers => {
      const { currencies } = trialBalanceOf(sumsOf(transfers))
      expect(currencies.map(each => each.currency).toSorted()).toEqual(
        [...new Set(transfers.map(each => each.currency))].toSorted(),
      )
      for (const { currency, debitsMinor, creditsMinor, accounts } of currencies) {
        const moved = transfers.filter(each => each.currency === currency)
        expect(debitsMinor).toBe(moved.reduce((sum, each) => sum + each.amountMinor, 0))
        expect(creditsMinor).toBe(debitsMinor)
        expect(accounts.reduce((sum, each) => sum + each.balanceMinor, 0)).toBe(0)
      }
    }),
  )
})

test('an account that is not in the chart is a bug', () => {
  const sums = { currency: 'EUR', debitsMinor: 1, creditsMinor: 0 }
  for (const account of ['cash', 'toString', ''])
    expect(() => trialBalanceOf([{ account, ...sums }])).toThrow('chart')
})

const postings = {
  capture: { debit: 'provider:simulator', credit: 'sales' },
  refund: { debit: 'refunds', credit: 'provider:simulator' },
}

/** The sums of the accounts that these transfers move. */
function sumsOf(
  transfers: readonly { kind: keyof typeof postings; currency: string; amountMinor: number }[],
): readonly AccountSums[] {
  const sides = transfers.flatMap(({ kind, currency, amountMinor }) => [
    { account: postings[kind].debit, currency, debitsMinor: amountMinor, creditsMinor: 0 },
    { account: postings[kind].credit, currency, debitsMinor: 0, creditsMinor: amountMinor },
  ])
  const byAccount = Map.groupBy(sides, ({ account, currency }) => `${currency} ${account}`)
  return [...byAccount.values()].map(([first, ...rest]) =>
    rest.reduce(
      (sum, { debitsMinor, creditsMinor }) => ({
        account: sum.account,
        currency: sum.currency,
        debitsMinor: sum.debitsMinor + debitsMinor,
        creditsMinor: sum.creditsMinor + creditsMinor,
      }),
      first as AccountSums,
    ),
  )
}
