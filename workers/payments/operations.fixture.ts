import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { Command, InputOf } from '../../queues/command.ts'
import type { Handler, Handlers, Job, Outcome } from '../../queues/outcome.ts'
import type { capture, charge, observe, payments, refund, voidPayment } from '../../queues/payments.ts'
import { carryOut, jobOf } from '../../test/trade.ts'
import { type Ask, RemoteRefusal } from '../runtime/ask.ts'
import { handlers } from './commands.ts'
import type { Provider } from './provider.ts'
import { remotesOf } from './remote.ts'
import { scriptedProvider } from './scripted.fixture.ts'
import { readState } from './state.ts'
import { createOpenPayment } from './store.ts'

export const hourMs = 3_600_000

/** The service's handlers at a provider, called one by one by the test, as the kernel would. */
export function serviceAt(sql: Sql, provider: Provider, { actionMs = 900_000 } = {}) {
  const all: Handlers<typeof payments> = handlers({
    sql,
    inquiriesMs: Array(40).fill(1),
    actionMs,
    reconcileMs: hourMs,
    openPayment: createOpenPayment(sql),
    newId: uuidv7,
    enqueue: () => {},
    ...remotesOf([{ provider, ask: withoutBreaker }]),
  })
  const run = async <C extends Command>(
    name: keyof typeof all,
    input: InputOf<C>,
    given: Partial<Job<C>> = {},
  ): Promise<Outcome<C>> => {
    const handler = all[name] as unknown as Handler<C>
    return carryOut(sql, await handler(jobOf<C>(input, given)))
  }
  return {
    run,
    /** A payment of 10.00 that was charged, and how its charge ended. */
    charge: async (given: Partial<InputOf<typeof charge>> = {}) => {
      const input = {
        orderId: uuidv7(),
        attempt: 1,
        customerId: uuidv7(),
        amountMinor: 1_000,
        currency: 'EUR',
        paymentMethod: 'pm_card_ok',
        capture: 'manual' as const,
        ...given,
      }
      const outcome = await run<typeof charge>('payments.charge', input)
      return { outcome, paymentId: outcome.kind === 'done' ? outcome.output.paymentId : '' }
    },
    stateOf: async (paymentId: string) => {
      const state = await readState(sql, paymentId)
      if (!state) throw new Error('no such payment')
      return state
    },
  }
}

/** Calls that fail often are the point of some tests: nothing rests. */
const ask: Ask = async (call, signal) => {
  try {
    return { kind: 'answer', answer: await call(signal) }
  } catch (error) {
    if (error instanceof RemoteRefusal) throw error
    return { kind: 'unknown', because: String(error), cause: error }
  }
}
const withoutBreaker = Object.assign(ask, { isResting: () => false })

/** The events of an outcome, by name. */
export const told = (outcome: Outcome): readonly string[] =>
  outcome.kind === 'done' ? outcome.emit.map(({ event }) => event.name) : []
/** What the first such event says. */
export const saidBy = (outcome: Outcome, name: string): unknown =>
  outcome.kind === 'done' ? outcome.emit.find(({ event }) => event.name === name)?.payload : undefined

/** What was posted for a payment, in the order in which it was. */
export const postedFor = async (sql: Sql, paymentId: string) => {
  const rows = await sql<{ kind: string; debit: string; credit: string; amountMinor: number }[]>`
    select kind::text, debit, credit, amount_minor as "amountMinor" from payments.transfers
    where payment_id = ${paymentId} order by seq`
  return rows.map(each => `${each.kind}: ${each.amountMinor} ${each.debit} < ${each.credit}`)
}

export interface ShopOptions {
  readonly severalCaptures?: boolean
  readonly actionMs?: number
}

/** Payments at a provider that does what it is told, and every operation on one of them. */
export const openShop = (sql: Sql, options: ShopOptions) => {
  const scripted = scriptedProvider(options)
  const service = serviceAt(sql, scripted.provider, options)
  const of = (paymentId: string) => ({
    capture: (amountMinor: number, rest: { isFinal?: boolean; requestId?: string } = {}) =>
      service.run<typeof capture>('payments.capture', { paymentId, amountMinor, ...rest }),
    void: (requestId: string = uuidv7()) =>
      service.run<typeof voidPayment>('payments.void', { paymentId, requestId, reason: 'a test' }),
    refund: (amountMinor: number, requestId: string = uuidv7()) =>
      service.run<typeof refund>('payments.refund', { paymentId, requestId, amountMinor, reason: 'a test' }),
    observe: (given = {}) => service.run<typeof observe>('payments.observe', { paymentId }, given),
  })
  return { ...scripted, ...service, of }
}
