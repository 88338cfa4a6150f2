import { type Static, Type } from '@sinclair/typebox'
import type { Logger } from 'pino'
import type { Sql } from '../../db/client.ts'
import { closed, Instant, lineOfText, oneOf } from '../../queues/schemas.ts'
import { inputReader } from '../input.ts'
import { fromJournal } from '../journal.ts'
import type { Mount } from '../operation.ts'
import { Problem } from '../problems.ts'

const Name = Type.String({
  pattern: '^[a-z][a-z0-9.-]{0,99}$',
  description: 'Who is called: `<service>.<port>`, such as `notifications.smtp`.',
})
const BreakerState = oneOf(
  ['closed', 'open', 'half_open', 'isolated'],
  '`closed`: it is called. `open`: it failed, and is left alone for a while. `half_open`: one call tries it. `isolated`: an operator opened it.',
)
const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()])

const Seen = Type.Object(
  {
    process: Type.String({ description: 'Host, process id and some chance.' }),
    state: BreakerState,
    since: Instant,
    calls: Type.Integer({ minimum: 0, description: 'Calls of the window.' }),
    failures: Type.Integer({ minimum: 0, description: 'Those of them that failed.' }),
    windowMs: Type.Integer({ description: 'Length of the window, in milliseconds.' }),
    lastFailure: nullable(Type.Object({ reason: Type.String(), at: Instant }, closed)),
    nextTryAt: nullable({ ...Instant, description: 'When the next call may go out, while it is open.' }),
  },
  closed,
)
const Order = Type.Object(
  {
    action: oneOf(['open', 'reset'], 'What was ordered.'),
    because: nullable(Type.String()),
    by: Type.String({ description: 'Account of the operator.' }),
    at: Instant,
  },
  { ...closed, description: 'The last order of an operator; it also holds for processes that start later.' },
)
const Process = Type.Object(
  {
    name: Type.String(),
    services: Type.Array(Type.String()),
    seenAt: Instant,
    silent: Type.Boolean({ description: 'Nothing was heard of it for ten seconds: it may be gone.' }),
  },
  closed,
)
const Breakers = Type.Object(
  {
    breakers: Type.Array(Type.Object({ name: Name, order: nullable(Order), seen: Type.Array(Seen) }, closed)),
    processes: Type.Array(Process, { description: 'Who told of its breakers within the last hour.' }),
  },
  { ...closed, $id: 'Breakers' },
)
export type Breakers = Static<typeof Breakers>
const Ordered = Type.Object(
  { name: Name, action: Order.properties.action },
  { ...closed, $id: 'BreakerOrder' },
)
export type BreakerOrder = Static<typeof Ordered>
const Reason = Type.Object(
  { because: lineOfText(200, 'Why nobody is to be called: other operators read it.') },
  { ...closed, $id: 'BreakerReason' },
)

interface ProcessRow {
  readonly name: string
  readonly services: string[]
  readonly breakers: readonly (Omit<Static<typeof Seen>, 'process'> & { readonly name: string })[]
  readonly seenAt: Date
  readonly silent: boolean
}
interface OrderRow {
  readonly breaker: string
  readonly action: 'open' | 'reset'
  readonly because: string | null
  readonly by: string
  readonly at: Date
}

export interface BreakerDeps {
  readonly sql: Sql
  readonly log: Logger
  readonly bodyMaxBytes: number
}

const silentAfterMs = 10_000

/** What each process sees of the remote sides that it calls, and an operator's hand on them. */
export function mountBreakers(mount: Mount, { sql, log, bodyMaxBytes }: BreakerDeps): void {
  const params = Type.Object({ name: Name })
  const readReason = inputReader(Reason, bodyMaxBytes)

  mount(
    {
      id: 'ops.breakers',
      method: 'GET',
      path: '/v1/ops/breakers',
      tag: 'ops',
      summary: 'Whether the remote sides that services call work, as each process sees it.',
      access: 'ops:read',
      answers: { 200: { description: 'Each breaker and each process.', schema: Breakers } },
      problems: ['journal_unavailable'],
    },
    async () => {
      const [processes, orders] = await fromJournal(Promise.all([readProcesses(sql), readOrders(sql)]))
      return Response.json(toBody(processes, orders), unstored)
    },
  )

  /** Every process does it at its next report, which is two seconds away at the most. */
  const order = async (name: string, action: OrderRow['action'], because: string | null, by: string) => {
    const [row] = await fromJournal(
      sql<{ ordered: boolean }[]>`select ops.order_breaker(${name}, ${action}, ${because}, ${by}) as ordered`,
    )
    if (!row?.ordered) throw new Problem('not_found', { detail: 'No process calls anything of that name.' })
    log.warn({ breaker: name, action, because, actor: by }, 'an operator switched a breaker')
    return Response.json({ name, action }, { status: 202, ...unstored })
  }
  const answers = { 202: { description: 'Every process does so within two seconds.', schema: Ordered } }
  mount(
    {
      id: 'ops.reset-breaker',
      method: 'POST',
      path: '/v1/ops/breakers/{name}/reset',
      tag: 'ops',
      summary: 'Call the remote side again, and forget what failed before.',
      access: 'ops:edit',
      params,
      answers,
      problems: ['not_found', 'journal_unavailable'],
    },
    ({ actor, params: { name } }) => order(name, 'reset', null, actor.id),
  )
  mount(
    {
      id: 'ops.open-breaker',
      method: 'POST',
      path: '/v1/ops/breakers/{name}/open',
      tag: 'ops',
      summary: 'Do not call the remote side until it is reset: what needs it waits.',
      access: 'ops:edit',
      params,
      body: { contentType: 'application/json', schema: Reason, required: true },
      answers,
      problems: ['not_found', 'journal_unavailable'],
    },
    async ({ c, actor, params: { name } }) => {
      const { because } = await readReason(c.req.raw)
      return order(name, 'open', because, actor.id)
    },
  )
}

const unstored = { headers: { 'cache-control': 'no-store' } } as const

const readProcesses = (sql: Sql) => sql<ProcessRow[]>`
  select name, services, breakers, seen_at as "seenAt",
         seen_at < clock_timestamp() - ${silentAfterMs} * interval '1 millisecond' as silent
  from ops.processes order by name`

const readOrders = (sql: Sql) => sql<OrderRow[]>`
  select distinct on (breaker) breaker, action, because, actor_id as by, ordered_at as at
  from ops.breaker_orders order by breaker, id desc`

function toBody(processes: readonly ProcessRow[], orders: readonly OrderRow[]): Breakers {
  const lastOrder = new Map(orders.map(order => [order.breaker, order]))
  const seen = processes.flatMap(({ name: process, breakers }) =>
    breakers.map(({ name, ...view }) => ({ name, view: { process, ...view } })),
  )
  return {
    breakers: [...Map.groupBy(seen, ({ name }) => name)].map(([name, views]) => ({
      name,
      order: toOrder(lastOrder.get(name)),
      seen: views.map(({ view }) => view),
    })),
    processes: processes.map(({ name, services, seenAt, silent }) => ({
      name,
      services,
      seenAt: seenAt.toISOString(),
      silent,
    })),
  }
}

const toOrder = (order: OrderRow | undefined): Static<typeof Order> | null =>
  order ? { action: order.action, because: order.because, by: order.by, at: order.at.toISOString() } : null
