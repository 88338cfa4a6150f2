import { Elysia } from 'elysia'
import { catalog } from '../../queues/catalog.ts'
import type { Service } from '../../queues/command.ts'
import {
  done,
  emit,
  follow,
  type Handler,
  type Handlers,
  type Job,
  later,
  rejected,
} from '../../queues/outcome.ts'
import { captured } from '../../queues/payment-events.ts'
import { type charge, payments, refund } from '../../queues/payments.ts'
import { defineService } from '../../workers/runtime/service.ts'
import { idlePayments } from '../idle-payments.ts'

/** What a charge does, by its payment method; `amountMinor` is its measure in milliseconds. */
export const behaviours = {
  /** Writes an effect, a follow-up and an event. */
  pm_effect: async job => async tx => {
    await tx`insert into payments.effects values (${job.id}, ${job.run})`
    return whole(job)
  },
  /** The same after a remote call that takes a while. */
  pm_slow: async job => {
    await Bun.sleep(job.input.amountMinor)
    return async tx => {
      await tx`insert into payments.effects values (${job.id}, ${job.run})`
      return whole(job)
    }
  },
  /** The same, and its transaction takes a while. */
  pm_lingers: async job => async tx => {
    await tx`insert into payments.effects values (${job.id}, ${job.run})`
    await Bun.sleep(job.input.amountMinor)
    return whole(job)
  },
  /** The same, and its first run stops the event loop. */
  pm_blocks: async job => {
    if (job.run === 1) for (const until = Date.now() + job.input.amountMinor; Date.now() < until; );
    return async tx => {
      await tx`insert into payments.effects values (${job.id}, ${job.run})`
      return whole(job)
    }
  },
  pm_plain: async job => whole(job),
  pm_rejected: async job => async tx => {
    await tx`insert into payments.effects values (${job.id}, ${job.run})`
    return rejected('never' as never)
  },
  /** An effect, and again later; then as pm_effect. */
  pm_later: async job => async tx => {
    const noted = await tx`select from payments.effects where command = ${job.id}`
    await tx`insert into payments.effects values (${job.id}, ${job.run})`
    return noted.count > 0 ? whole(job) : later(50, 'not yet')
  },
  pm_throws_first: async job => async tx => {
    await tx`insert into payments.effects values (${job.id}, ${job.run})`
    if (job.run === 1) throw new Error('a broken dependency')
    return whole(job)
  },
  pm_throws: async () => {
    throw new Error('a bug')
  },
  /** Postgres keeps no NUL in a text. */
  pm_throws_nul: async () => {
    throw new Error('a bug \u0000 here')
  },
  /** The cut of a long message goes through the middle of a character of two code units. */
  pm_throws_half: async () => {
    throw new Error(`a bug ${'\u{1f600}'.repeat(2_000)}`)
  },
  pm_throws_much: async () => {
    throw new Error(`a bug ${'x'.repeat(10_000_000)}`)
  },
  pm_throws_no_error: async () => {
    throw Object.create(null)
  },
  pm_answers_nul: async () => done({ paymentId: '\u0000', status: 'captured' as const }),
  /** JSON knows no such number. */
  pm_answers_bigint: async () => done({ paymentId: 1n as unknown as string, status: 'captured' as const }),
  /** Its transaction never comes to an end. */
  pm_hangs: async job => async tx => {
    await tx`insert into payments.effects values (${job.id}, ${job.run})`
    return new Promise<never>(() => {})
  },
  pm_exits: async () => process.exit(1),
} as const satisfies Record<string, Handler<typeof charge>>
export type Behaviour = keyof typeof behaviours

const whole = ({ id, input }: Job<typeof charge>) => {
  const { orderId, amountMinor, currency } = input
  return done(
    { paymentId: id, status: 'captured' as const },
    {
      follow: [follow(refund, { requestId: id, paymentId: id, amountMinor: 1, reason: 'it follows' })],
      emit: [emit(captured, { paymentId: id, orderId, amountMinor, currency })],
    },
  )
}

const handlers: Handlers<typeof payments> = {
  ...idlePayments,
  'payments.charge': job => behaviours[job.input.paymentMethod as Behaviour](job),
  'payments.refund': async job => async tx => {
    await tx`insert into payments.effects values (${job.id}, ${job.run})`
    return done({ refundId: job.id, paymentId: job.input.paymentId, status: 'succeeded' })
  },
}

export interface Haste {
  /** Instead of the contract's, so that a test need not wait for as long. */
  readonly lockMs?: number
  /** The same policy for every command: these attempts, 50 ms apart. */
  readonly attemptsMax?: number
  readonly timeoutMs?: number
}

/** The catalog service, whose `set-stock` takes `onHand` milliseconds and writes an effect. */
export const slowCatalog = ({ lockMs = catalog.lockMs }: Haste = {}) => {
  const patient: Service = { ...catalog, lockMs }
  return defineService(patient as typeof catalog, () => ({ routes: new Elysia(), handlers: slowHandlers }))
}

const unused = async (): Promise<never> => {
  throw new Error('no test asks for it')
}
const slowHandlers = {
  ...Object.fromEntries(catalog.commands.map(({ name }) => [name, unused])),
  'catalog.set-stock': async ({ id, run, input: { productId, onHand } }) => {
    await Bun.sleep(onHand)
    return async tx => {
      await tx`insert into catalog.effects values (${id}, ${run})`
      return done({ productId, onHand, reserved: 0, available: onHand })
    }
  },
} as Handlers<typeof catalog>

/** The payments service on handlers that misbehave as they are told. */
export const faultyPayments = ({ lockMs = payments.lockMs, attemptsMax, timeoutMs }: Haste = {}) => {
  const policy = { name: 'hasty', attemptsMax: attemptsMax ?? 0, delayMs: () => 50 }
  const changes = { ...(attemptsMax && { retry: policy }), ...(timeoutMs && { timeoutMs }) }
  const commands = payments.commands.map(each => ({ ...each, ...changes }))
  const hasty: Service = { ...payments, lockMs, commands }
  return defineService(hasty as typeof payments, () => ({ routes: new Elysia(), handlers }))
}
