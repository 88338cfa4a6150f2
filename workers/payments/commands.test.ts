import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { Outcome } from '../../queues/outcome.ts'
import { charge, type refund } from '../../queues/payments.ts'
import type { TestKernel } from '../../test/harness.ts'
import { chargesOf, simulator as running } from '../../test/simulator.ts'
import { carryOut, dump, jobOf, outputOf, tradeKernel } from '../../test/trade.ts'
import { createAsk } from '../runtime/ask.ts'
import { handlers } from './commands.ts'
import type { Provider } from './provider.ts'
import { createSimulator } from './providers/simulator.ts'
import { remotesOf } from './remote.ts'
import { refundedMinor } from './simulator/charge.ts'
import { createOpenPayment } from './store.ts'

let kernel: TestKernel
let sql: Sql
beforeAll(async () => {
  kernel = await tradeKernel()
  sql = kernel.database.sql('payments')
})
afterAll(() => kernel.stop())

/** The service's handlers at a provider that misbehaves as the test says, asked again at once. */
const at = (misbehave: (simulator: Provider) => Partial<Provider> = () => ({}), inquiriesMs = [1, 1, 1]) => {
  const simulator = createSimulator({ url: running.url, webhookSecret: '' })
  return handlers({
    sql,
    inquiriesMs,
    actionMs: 900_000,
    reconcileMs: 3_600_000,
    openPayment: createOpenPayment(sql),
    newId: uuidv7,
    enqueue: () => {},
    ...remotesOf([
      {
        provider: { ...simulator, ...misbehave(simulator) },
        ask: createAsk({ name: 'payments.simulator', timeoutMs: 10_000 }),
      },
    ]),
  })
}
/** The connection breaks: what was sent may have arrived, and no answer did. */
const reset = async (): Promise<never> => {
  throw new Error('connection reset')
}

const order = (paymentMethod = 'pm_card_ok') => ({
  orderId: uuidv7(),
  attempt: 1,
  customerId: uuidv7(),
  amountMinor: 1_000,
  currency: 'EUR',
  paymentMethod,
})
const statusOf = async (orderId: string) => {
  const [row] = await sql`select status from payments.payments where order_id = ${orderId}`
  return row?.status
}
/** What the provider has taken for an order, and in how many charges. */
const takenFor = async (orderId: string) => {
  const charges = (await chargesFor(orderId)).filter(({ capturedMinor }) => capturedMinor > 0)
  return {
    charges: charges.length,
    taken: charges.reduce((sum, { capturedMinor }) => sum + capturedMinor, 0),
  }
}
const chargesFor = async (orderId: string) => {
  const payments = await sql<{ id: string }[]>`select id from payments.payments where order_id = ${orderId}`
  return chargesOf(payments.map(({ id }) => id))
}
const chargeOnce = async (service: ReturnType<typeof at>, job = jobOf<typeof charge>(order())) =>
  carryOut(sql, await service['payments.charge'](job))
const refundOnce = async (service: ReturnType<typeof at>, job: ReturnType<typeof jobOf<typeof refund>>) =>
  carryOut(sql, await service['payments.refund'](job))

describe('payments.charge', () => {
  const charged = async (card: string) => {
    const input = order(card)
    const { id, result, attempts } = await kernel.run(charge, input)
    const [event] = (await kernel.story(id)).events
    return { id, input, result, attempts, event }
  }
  test('captured: the money is taken once, and told', async () => {
    const { id, input, result, event } = await charged('pm_card_ok')
    expect(result).toEqual({ paymentId: id, status: 'captured' })
    const { orderId, amountMinor, currency } = input
    expect(event).toMatchObject({
      type: 'payment.captured',
      payload: { paymentId: id, orderId, amountMinor, currency },
    })
    expect(await takenFor(orderId)).toEqual({ charges: 1, taken: 1_000 })
  })
  test('declined: no money is taken, and the reason is told', async () => {
    const { id, input, result, event } = await charged('pm_card_declined')
    expect(result).toEqual({ paymentId: id, status: 'declined' })
    expect(event).toMatchObject({
      type: 'payment.declined',
      payload: { attempt: 1, declineCode: 'card_declined' },
    })
    expect(await takenFor(input.orderId)).toEqual({ charges: 0, taken: 0 })
  })
  test('declined: a card that the provider does not know', async () => {
    const { event } = await charged('pm_unheard_of')
    expect(event?.payload).toMatchObject({ declineCode: 'payment_method_unknown' })
  })
  test('no answer: it waits, asks by its key, and finds the one charge that was made', async () => {
    const { input, result, attempts } = await charged('pm_card_timeout')
    expect(result).toMatchObject({ status: 'captured' })
    expect([attempts[0]?.outcome, attempts.at(-1)?.outcome]).toEqual(['waiting', 'succeeded'])
    const charges = await chargesFor(input.orderId)
    expect(charges.map(({ calls }) => calls)).toEqual([1])
  })

  test('unknown is what it says while the provider is silent, and never declined', async () => {
    const job = jobOf<typeof charge>(order())
    const outcome = await chargeOnce(
      at(() => ({ charge: reset })),
      job,
    )
    expect(outcome).toMatchObject({ kind: 'later', delayMs: 1 })
    expect(await statusOf(job.input.orderId)).toBe('unknown')
  })

  test('a worker that dies after the provider took the money finds it, and takes none again', async () => {
    const job = jobOf<typeof charge>(order())
    await at()['payments.charge'](job) // and dies: what it returned is never carried out
    expect(await statusOf(job.input.orderId)).toBe('processing')
    expect(outputOf(await chargeOnce(at(), { ...job, run: 2 }))).toEqual({
      paymentId: job.id,
      status: 'captured',
    })
    expect(await takenFor(job.input.orderId)).toEqual({ charges: 1, taken: 1_000 })
  })

  test('a worker that dies before the provider heard of it takes the money once', async () => {
    const job = jobOf<typeof charge>(order())
    await createOpenPayment(sql)({
      ...job.input,
      id: job.id,
      capture: 'automatic',
      provider: 'simulator',
      storeId: null,
      split: null,
      createdAt: job.now,
    })
    expect(outputOf(await chargeOnce(at(), job)).status).toBe('captured')
    expect(await takenFor(job.input.orderId)).toEqual({ charges: 1, taken: 1_000 })
  })

  test('twenty workers at once with the same charge take the money once', async () => {
    const job = jobOf<typeof charge>(order())
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => chargeOnce(at(), job)))
    expect(outcomes.map(each => outputOf(each).status)).toEqual(Array(20).fill('captured'))
    const told = outcomes.filter(each => each.kind === 'done' && each.emit.length > 0)
    expect(told).toHaveLength(1)
    expect(await takenFor(job.input.orderId)).toEqual({ charges: 1, taken: 1_000 })
  })

  test('another command for the same charge, such as a redriven one, continues the first', async () => {
    const first = jobOf<typeof charge>(order())
    await chargeOnce(
      at(() => ({ charge: reset })),
      first,
    )
    const second = jobOf<typeof charge>(first.input)
    expect(outputOf(await chargeOnce(at(), second))).toEqual({ paymentId: first.id, status: 'captured' })
    expect(await takenFor(first.input.orderId)).toEqual({ charges: 1, taken: 1_000 })
  })

  test('the same charge on other terms is a bug, and stops', async () => {
    const first = jobOf<typeof charge>(order())
    await chargeOnce(at(), first)
    const other = jobOf<typeof charge>({ ...first.input, amountMinor: 999 })
    await expect(chargeOnce(at(), other)).rejects.toThrow('other terms')
  })

  test('when the schedule has run out it stops for a person, still unknown', async () => {
    const silent = at(() => ({ charge: reset, find: reset }), [1, 2])
    const job = jobOf<typeof charge>(order())
    const delays = [await chargeOnce(silent, job), await chargeOnce(silent, job)]
    expect(delays).toMatchObject([{ delayMs: 1 }, { delayMs: 2 }])
    await expect(chargeOnce(silent, job)).rejects.toThrow('left 3 calls unanswered')
    expect(await statusOf(job.input.orderId)).toBe('unknown')
  })
})

describe('payments.refund', () => {
  const captured = async () => {
    const job = jobOf<typeof charge>(order())
    return outputOf(await chargeOnce(at(), job)).paymentId
  }
  const refundOf = (paymentId: string, amountMinor: number) =>
    jobOf<typeof refund>({ paymentId, requestId: uuidv7(), amountMinor, reason: 'a test' })
  const amountsOf = async (paymentId: string) => {
    const [row] = await sql<{ captured: number; pending: number; refunded: number }[]>`
      select captured_minor as captured, refund_pending_minor as pending, refunded_minor as refunded
      from payments.payments where id = ${paymentId}`
    const sentBack = chargesOf([paymentId]).reduce((sum, each) => sum + refundedMinor(each), 0)
    return { ...row, sentBack }
  }

  test('part after part goes back, and each is told with the sum so far', async () => {
    const paymentId = await captured()
    const told = async (amountMinor: number) => {
      const outcome = await refundOnce(at(), refundOf(paymentId, amountMinor))
      return outcome.kind === 'done' && outcome.emit[0]?.payload
    }
    expect(await told(300)).toMatchObject({
      paymentId,
      amountMinor: 300,
      refundedMinor: 300,
      currency: 'EUR',
    })
    expect(await told(700)).toMatchObject({ amountMinor: 700, refundedMinor: 1_000 })
    expect(await amountsOf(paymentId)).toEqual({
      captured: 1_000,
      pending: 0,
      refunded: 1_000,
      sentBack: 1_000,
    })
  })

  test('twenty of 90 at once of 1000: eleven, and never more than was captured', async () => {
    const paymentId = await captured()
    const all = await Promise.all(Array.from({ length: 20 }, () => refundOnce(at(), refundOf(paymentId, 90))))
    const refused = all.filter(each => each.kind === 'rejected')
    expect(refused.map(each => each.code)).toEqual(Array(9).fill('refund_exceeds_capture'))
    expect(await amountsOf(paymentId)).toEqual({ captured: 1_000, pending: 0, refunded: 990, sentBack: 990 })
  })

  test('what is set aside for one refund cannot be given to another', async () => {
    const paymentId = await captured()
    const silent = at(() => ({ refund: reset }))
    expect(await refundOnce(silent, refundOf(paymentId, 600))).toMatchObject({ kind: 'later' })
    expect(await amountsOf(paymentId)).toMatchObject({ pending: 600, refunded: 0 })
    expect(await refundOnce(at(), refundOf(paymentId, 500))).toMatchObject({ code: 'refund_exceeds_capture' })
    expect(outputOf(await refundOnce(at(), refundOf(paymentId, 400)))).toMatchObject({ paymentId })
  })

  test('no answer: it is looked up by its key, and the money goes back once', async () => {
    const paymentId = await captured()
    const job = refundOf(paymentId, 1_000)
    const losesTheAnswer = at(simulator => ({
      refund: async (request, signal) => {
        await simulator.refund(request, signal)
        return reset()
      },
    }))
    expect(await refundOnce(losesTheAnswer, job)).toMatchObject({ kind: 'later' })
    expect(await amountsOf(paymentId)).toEqual({
      captured: 1_000,
      pending: 1_000,
      refunded: 0,
      sentBack: 1_000,
    })
    expect(outputOf(await refundOnce(at(), job))).toEqual({
      refundId: job.id,
      paymentId,
      status: 'succeeded',
    })
    expect(await amountsOf(paymentId)).toEqual({
      captured: 1_000,
      pending: 0,
      refunded: 1_000,
      sentBack: 1_000,
    })
  })

  test('asked for again by the same request, under another command, it is the same refund', async () => {
    const paymentId = await captured()
    const first = refundOf(paymentId, 1_000)
    await at()['payments.refund'](first) // and dies before it is settled
    const second = jobOf<typeof refund>(first.input)
    expect(outputOf(await refundOnce(at(), second))).toEqual({
      refundId: first.id,
      paymentId,
      status: 'succeeded',
    })
    expect(await amountsOf(paymentId)).toEqual({
      captured: 1_000,
      pending: 0,
      refunded: 1_000,
      sentBack: 1_000,
    })
  })

  test('of nothing that was captured is refused', async () => {
    const declined = outputOf(await chargeOnce(at(), jobOf<typeof charge>(order('pm_card_declined'))))
    expect(await refundOnce(at(), refundOf(declined.paymentId, 1))).toMatchObject({
      code: 'refund_exceeds_capture',
    })
    expect(await refundOnce(at(), refundOf(uuidv7(), 1))).toMatchObject({ code: 'payment_not_found' })
  })
})

describe('twice is once', () => {
  const same = async (run: () => Promise<Outcome>) => {
    const first = await run()
    const before = await dump(kernel.sql)
    const second = await run()
    expect(await dump(kernel.sql)).toEqual(before)
    expect(second).toEqual({ ...first, follow: [], emit: [] } as typeof second)
  }
  for (const card of ['pm_card_ok', 'pm_card_declined']) {
    test(`payments.charge of ${card}`, () => {
      const job = jobOf<typeof charge>(order(card))
      return same(() => chargeOnce(at(), job))
    })
  }
  test('payments.refund', async () => {
    const { paymentId } = outputOf(await chargeOnce(at()))
    const input = { paymentId, requestId: uuidv7(), amountMinor: 500, reason: 'a test' }
    const job = jobOf<typeof refund>(input)
    await same(() => refundOnce(at(), job))
  })
})
