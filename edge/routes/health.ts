import { Type } from '@sinclair/typebox'
import type { Sql } from '../../db/client.ts'
import { closed } from '../../queues/schemas.ts'
import { fromJournal } from '../journal.ts'
import type { Mount } from '../operation.ts'

export interface HealthDeps {
  readonly sql: Sql
  /** False if Redis does not answer. */
  readonly pingRedis: () => Promise<boolean>
  readonly isDraining: () => boolean
}

const Live = Type.Object({ ok: Type.Literal(true) }, closed)
const Ready = Type.Object(
  {
    ready: Type.Boolean(),
    postgres: Type.Boolean({ description: 'Commands can be accepted.' }),
    redis: Type.Boolean({
      description: 'Commands reach their workers at once; without it they are accepted all the same.',
    }),
    draining: Type.Boolean({ description: 'This process is about to stop.' }),
  },
  { ...closed, $id: 'Readiness' },
)

/** For the platform: is the process alive, and may it be sent requests. */
export function mountHealth(mount: Mount, { sql, pingRedis, isDraining }: HealthDeps): void {
  mount(
    {
      id: 'health.live',
      method: 'GET',
      path: '/livez',
      tag: 'health',
      summary: 'The process is alive.',
      access: 'public',
      answers: { 200: { description: 'It is.', schema: Live } },
      problems: [],
    },
    () => Response.json({ ok: true }),
  )
  mount(
    {
      id: 'health.ready',
      method: 'GET',
      path: '/readyz',
      tag: 'health',
      summary: 'The process may be sent requests.',
      access: 'public',
      answers: {
        200: { description: 'It may.', schema: Ready },
        503: { description: 'It may not: Postgres is away, or the process is about to stop.', schema: Ready },
      },
      problems: [],
    },
    async () => {
      const [postgres, redis] = await Promise.all([answers(sql), pingRedis()])
      const draining = isDraining()
      const ready = postgres && !draining
      return Response.json({ ready, postgres, redis, draining }, { status: ready ? 200 : 503 })
    },
  )
}

const answers = (sql: Sql): Promise<boolean> =>
  fromJournal(sql`select 1`).then(
    () => true,
    () => false,
  )
