import type { orders } from '../../queues/orders.ts'
import { done, type Handlers, rejected } from '../../queues/outcome.ts'
import { caseExists, closeCase, openCases } from './cases.ts'
import { customerOf } from './handling.ts'
import { deadCommands, refusedCaptures, unanswered } from './stuck.ts'

type CaseHandlers = Pick<Handlers<typeof orders>, 'orders.find-stuck' | 'orders.resolve-case'>

/** How far back dead commands are looked for: far longer than nobody works on orders. */
const deadWithinMs = 7 * 24 * 3_600_000
/** How long an answer about money may take before a person has to look. */
const answerWithinMs = 3_600_000

export const caseHandlers = ({ newId }: { readonly newId: () => string }): CaseHandlers => ({
  'orders.find-stuck': async job => async tx => {
    const before = (ms: number) => new Date(job.now.getTime() - ms)
    const found = [
      ...(await deadCommands(tx, before(deadWithinMs))),
      ...(await refusedCaptures(tx)),
      ...(await unanswered(tx, before(answerWithinMs))),
    ]
    const opened = await openCases(
      tx,
      found.map(each => ({ ...each, id: newId(), at: job.now })),
    )
    return done({ opened })
  },

  'orders.resolve-case': async job => async tx => {
    const { caseId, reason } = job.input
    const isClosed = await closeCase(tx, { id: caseId, by: customerOf(job), reason, at: job.now })
    if (isClosed) return done({ caseId, state: 'resolved' as const })
    return rejected((await caseExists(tx, caseId)) ? 'case_resolved' : 'case_not_found')
  },
})
