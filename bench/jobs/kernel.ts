// The kernel as it is: a handler with one INSERT, and around it the journal, attempts and fence.
import { Queue } from 'bullmq'
import { Elysia } from 'elysia'
import { pino } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import { connect } from '../../db/client.ts'
import { createEnqueuer } from '../../queues/enqueue.ts'
import { createAcceptor } from '../../queues/journal.ts'
import { done, type Handlers } from '../../queues/outcome.ts'
import { charge, payments } from '../../queues/payments.ts'
import { patientRedis } from '../../queues/redis.ts'
import { startTrace } from '../../queues/trace.ts'
import { idlePayments } from '../../test/idle-payments.ts'
import { defineService } from '../../workers/runtime/service.ts'
import { startServices } from '../../workers/runtime/start.ts'
import { serveCalls } from '../remote.ts'
import { checkRows, createTable, insertCharge, newCharge } from './charge.ts'
import { stopwatch } from './stopwatch.ts'

const { DATABASE_URL: databaseUrl = '', REDIS_URL: url = '', QUEUE_PREFIX: prefix = '' } = process.env
const log = pino({ level: 'warn', base: null })
const redis = { url, prefix }
const sql = connect(databaseUrl)
const enqueuer = createEnqueuer(redis, log)
const accept = createAcceptor(sql)
const queue = new Queue(payments.name, { connection: patientRedis(url, log), prefix })
let worked = 0

export const calls = serveCalls({
  prepare: async () => {
    await createTable(sql)
  },
  fill: async ({ count }: { count: number }) => {
    const accepted = await Promise.all(
      Array.from({ length: count }, () =>
        accept({
          id: uuidv7(),
          command: charge,
          input: newCharge(),
          actor: { id: uuidv7(), scopes: [] },
          idempotency: null,
          traceparent: startTrace(),
        }),
      ),
    )
    const jobs = accepted.flatMap(answer =>
      answer.kind === 'accepted' ? [{ id: answer.id, type: charge.name, delayMs: 0 }] : [],
    )
    for (let from = 0; from < count; from += 500) await enqueuer.addNow(jobs.slice(from, from + 500))
  },
  /** Answers how long it took, in milliseconds. */
  work: async ({ count }: { count: number }): Promise<number> => {
    const watch = stopwatch(queue, count)
    const handlers: Handlers<typeof payments> = {
      ...idlePayments,
      'payments.charge': async job => async tx => {
        watch.saw()
        await insertCharge(tx, job.id, job.input)
        return done({ paymentId: job.id, status: 'captured' })
      },
    }
    const service = defineService(payments, () => ({ routes: new Elysia(), handlers }))
    const running = await startServices([service], { databaseUrl, redis, env: {}, log, enqueuer })
    const ms = await watch.untilAcknowledged()
    await running.stop(1_000)
    worked += count
    await check(worked)
    return ms
  },
})

async function check(count: number): Promise<void> {
  await checkRows(sql, count)
  const [row] = await sql<{ settled: number; retried: number }[]>`select
    (select count(*) from journal.commands where state = 'succeeded' and type = ${charge.name}) as settled,
    (select count(*) from journal.attempts) as retried`
  if (row?.settled !== count || row.retried !== 0)
    throw new Error(`${count} jobs: ${row?.settled} succeeded, ${row?.retried} attempts in vain`)
}
