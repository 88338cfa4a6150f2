import { Redis } from 'ioredis'
import { connect } from '../db/client.ts'
import { freePort } from '../deploy/local/ports.ts'
import { orders, place as placeOrder } from '../queues/orders.ts'
import type { calls as loadCalls } from './accept/load.ts'
import type { BenchOptions } from './bench.ts'
import { startServer } from './child.ts'
import type { Lab, Place } from './lab.ts'
import { type Findings, type Measurement, median, spread } from './measure.ts'
import { cpuMs } from './process-cost.ts'
import { type Remote, startRemote } from './remote.ts'

const connections = 64
const ratioDemanded = 0.7
const p99MsMax = 50

/** From the least that a gateway can do to what ours does. */
const cases = [
  { name: 'Hono alone', script: 'bench/accept/hono.ts', env: { CASE: 'bare' } },
  { name: 'Hono, JWT', script: 'bench/accept/hono.ts', env: { CASE: 'jwt' } },
  { name: 'the edge with queue.add and no journal', script: 'bench/accept/queue-add.ts', env: {} },
  { name: 'the edge', script: 'edge/index.ts', env: {} },
] as const
type Case = (typeof cases)[number]
const [, , queueAdd, edge] = cases

interface Run {
  readonly count: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** Processor time per request, in microseconds. */
  readonly cost: Readonly<Record<'server' | 'postgres' | 'redis', number>>
}

/** Orders accepted over HTTP: each with its own idempotency key, on connections that stay open. */
export async function measureAccept(lab: Lab, { quick, repeats, tell }: BenchOptions): Promise<Findings> {
  const load = startRemote<typeof loadCalls>('accept/load.ts', {})
  try {
    const runs = new Map<Case, Run[]>(cases.map(each => [each, []]))
    for (let repeat = 0; repeat < repeats; repeat++)
      for (const each of cases) {
        const run = await measure(lab, load, each, quick ? 2 : 5)
        runs.get(each)?.push(run)
        tell(`${each.name}: ${run.perSecond.toFixed(0)} requests/s, p99 ${run.p99.toFixed(1)} ms`)
      }
    return findings(runs)
  } finally {
    await load.stop()
  }
}

async function measure(lab: Lab, load: Remote<typeof loadCalls>, each: Case, seconds: number): Promise<Run> {
  const place = await lab.freshPlace()
  const port = await freePort()
  const env = { ...place, ...each.env, PORT: String(port), LOG_LEVEL: 'warn' }
  const ACCOUNTS_URL = await load.call('accountsUrl')
  const server = await startServer(each.script, { ...env, ACCOUNTS_URL }, `http://127.0.0.1:${port}/livez`)
  try {
    const warmUp = await load.call('fire', { port, connections, seconds: 1 })
    const before = { ...lab.cpu(), server: cpuMs(server.pid) }
    const run = await load.call('fire', { port, connections, seconds })
    const after = { ...lab.cpu(), server: cpuMs(server.pid) }
    await check(each, place, warmUp.count + run.count)
    const cost = (who: keyof typeof before) => ((after[who] - before[who]) * 1_000) / run.count
    return { ...run, cost: { server: cost('server'), postgres: cost('postgres'), redis: cost('redis') } }
  } finally {
    await server.stop()
  }
}

/** Throws unless exactly what was answered with 202 is there to be worked. */
async function check(each: Case, place: Place, answered: number): Promise<void> {
  const queued = each === queueAdd || each === edge ? await countQueued(place, answered) : answered
  const journaled = each === edge ? await countJournaled(place) : answered
  if (queued !== answered || journaled !== answered)
    throw new Error(`${each.name}: ${answered} accepted, ${journaled} in the journal, ${queued} in the queue`)
}

async function countJournaled({ DATABASE_URL }: Place): Promise<number> {
  const sql = connect(DATABASE_URL, { max: 1 })
  const [row] = await sql<{ count: number }[]>`
    select count(*) from journal.commands where type = ${placeOrder.name}`
  await sql.end()
  return row?.count ?? 0
}

/** Commands in the queue. It is told after the answer: it gets a moment. */
async function countQueued({ REDIS_URL, QUEUE_PREFIX }: Place, expected: number): Promise<number> {
  const redis = new Redis(REDIS_URL)
  try {
    for (const deadline = Date.now() + 5_000; ; await Bun.sleep(50)) {
      const jobs = await redis.lrange(`${QUEUE_PREFIX}:${orders.name}:wait`, 0, -1)
      const count = jobs.reduce((sum, id) => sum + 1 + othersIn(id), 0)
      if (count === expected || Date.now() > deadline) return count
    }
  } finally {
    redis.disconnect()
  }
}

/** The id of a job of ours says how many commands it carries beside its first: `<id>+9`. */
const othersIn = (jobId: string): number => Number(jobId.split('+')[1] ?? 0)

function findings(runs: ReadonlyMap<Case, readonly Run[]>): Findings {
  const medianOf = (each: Case, figure: (run: Run) => number) => median((runs.get(each) ?? []).map(figure))
  const ratio = medianOf(edge, run => run.perSecond) / medianOf(queueAdd, run => run.perSecond)
  const p99 = medianOf(edge, run => run.p99)
  return {
    measurements: [...runs].map(([each, some]) => toMeasurement(each.name, some)),
    goals: [
      {
        what: `accepted requests, the edge to the edge with queue.add and no journal, ${connections} connections`,
        demanded: `>= ${ratioDemanded}`,
        measured: ratio.toFixed(2),
        met: ratio >= ratioDemanded,
      },
      {
        what: `p99 of the edge at ${connections} connections`,
        demanded: `< ${p99MsMax} ms`,
        measured: `${p99.toFixed(1)} ms`,
        met: p99 < p99MsMax,
      },
    ],
  }
}

const toMeasurement = (name: string, runs: readonly Run[]): Measurement => ({
  bench: 'accept',
  case: name,
  unit: 'requests/s',
  ...spread(runs.map(run => run.perSecond)),
  p50: median(runs.map(run => run.p50)),
  p99: median(runs.map(run => run.p99)),
  notes: Object.fromEntries(
    (['server', 'postgres', 'redis'] as const).map(who => [
      `${who}CpuMicrosPerRequest`,
      Math.round(median(runs.map(run => run.cost[who]))),
    ]),
  ),
})
