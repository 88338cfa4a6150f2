// BullMQ with the same INSERT through the same driver, and nothing else: no journal, no attempts, no fence.
import { type Job, Queue, Worker } from 'bullmq'
import { pino } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import { connect } from '../../db/client.ts'
import { patientRedis } from '../../queues/redis.ts'
import { serveCalls } from '../remote.ts'
import { type Charge, checkRows, createTable, insertCharge, newCharge } from './charge.ts'
import { stopwatch } from './stopwatch.ts'

const { DATABASE_URL: databaseUrl = '', REDIS_URL: url = '', QUEUE_PREFIX: prefix = '' } = process.env
const log = pino({ level: 'warn', base: null })
/** As many connections as a service has. */
const sql = connect(databaseUrl, { max: 8 })
const queue = new Queue('bare', { connection: patientRedis(url, log), prefix })
let worked = 0

export const calls = serveCalls({
  prepare: () => createTable(sql),
  fill: async ({ count }: { count: number }) => {
    const jobs = Array.from({ length: count }, () => ({
      name: 'charge',
      data: newCharge(),
      opts: { jobId: uuidv7(), removeOnComplete: true, attempts: 10 },
    }))
    for (let from = 0; from < count; from += 500) await queue.addBulk(jobs.slice(from, from + 500))
  },
  /** Answers how long it took, in milliseconds. */
  work: async ({ count, concurrency }: { count: number; concurrency: number }): Promise<number> => {
    const watch = stopwatch(queue, count)
    const connection = patientRedis(url, log)
    const process = async (job: Job<Charge>) => {
      watch.saw()
      await insertCharge(sql, job.id ?? '', job.data)
    }
    const worker = new Worker('bare', process, { connection, prefix, concurrency })
    const ms = await watch.untilAcknowledged()
    await worker.close()
    connection.disconnect()
    worked += count
    await checkRows(sql, worked)
    return ms
  },
})
