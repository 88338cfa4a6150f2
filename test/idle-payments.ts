import { done, type Handlers } from '../queues/outcome.ts'
import type { payments } from '../queues/payments.ts'

const unused = async (): Promise<never> => {
  throw new Error('no test asks for it')
}

/** Handlers of payments for tests of the kernel, which take any commands that are at hand: they give their own charge. */
export const idlePayments: Omit<Handlers<typeof payments>, 'payments.charge'> = {
  'payments.capture': unused,
  'payments.void': unused,
  'payments.refund': async job =>
    done({ refundId: job.id, paymentId: job.input.paymentId, status: 'succeeded' }),
  'payments.observe': unused,
  'payments.reconcile': async () => done({ observed: 0, voided: 0 }),
  'payments.collect-events': async () => done({ events: 0, unanswered: 0 }),
  'payments.record-payout': unused,
  'payments.roll-up-ledger': async () => done({ transfers: 0 }),
}
