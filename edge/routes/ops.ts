import { type Static, Type } from '@sinclair/typebox'
import type { Sql } from '../../db/client.ts'
import { checkInvariants, type Finding } from '../../db/invariants.ts'
import { closed, Instant } from '../../queues/schemas.ts'
import { fromJournal } from '../journal.ts'
import type { Mount } from '../operation.ts'

const State = Type.Union([Type.Literal('holds'), Type.Literal('broken'), Type.Literal('unchecked')], {
  description: '`unchecked`: there was too much to look at in the time that is given.',
})
const Invariants = Type.Object(
  {
    state: State,
    since: { ...Instant, description: 'What began earlier was not looked at.' },
    invariants: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          sentence: Type.String({ description: 'What must be true.' }),
          state: State,
          broken: Type.Array(Type.String(), { description: 'What breaks it: the first 20.' }),
          ms: Type.Integer({ minimum: 0, description: 'How long the look took, in milliseconds.' }),
        },
        closed,
      ),
    ),
  },
  { ...closed, $id: 'Invariants' },
)
export type Invariants = Static<typeof Invariants>

/** How long the look at each invariant may take, in milliseconds: all of them are to fit into one answer. */
const eachMs = 400
const hoursMax = 24 * 31

/** What operators ask of the whole. */
export function mountOps(
  mount: Mount,
  { sql, nowMs }: { readonly sql: Sql; readonly nowMs: () => number },
): void {
  // Who asks while a look is under way gets its answer: it is work for Postgres, and not the reason why it is there.
  const looking = new Map<number, Promise<readonly Finding[]>>()
  const look = (hours: number, since: Date) => {
    const found = checkInvariants(sql, { since, eachMs }).finally(() => looking.delete(hours))
    looking.set(hours, found)
    return found
  }

  mount(
    {
      id: 'ops.invariants',
      method: 'GET',
      path: '/v1/ops/invariants',
      tag: 'ops',
      summary: 'Whether everything that must hold does: stock, orders, money, history, events.',
      access: 'ops:read',
      query: Type.Object(
        {
          hours: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: hoursMax,
              default: 24,
              description: 'How far to look back.',
            }),
          ),
        },
        closed,
      ),
      answers: { 200: { description: 'Each invariant and what was found.', schema: Invariants } },
      problems: ['journal_unavailable'],
    },
    async ({ query }) => {
      const { hours = 24 } = query
      const since = new Date(nowMs() - hours * 3_600_000)
      const invariants = await fromJournal(looking.get(hours) ?? look(hours, since))
      const body: Invariants = {
        state: worstOf(invariants),
        since: since.toISOString(),
        invariants: invariants.map(each => ({ ...each, broken: [...each.broken] })),
      }
      return Response.json(body, { headers: { 'cache-control': 'no-store' } })
    },
  )
}

function worstOf(findings: readonly Finding[]): Finding['state'] {
  const states = findings.map(({ state }) => state)
  if (states.includes('broken')) return 'broken'
  return states.includes('unchecked') ? 'unchecked' : 'holds'
}
