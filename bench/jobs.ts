import type { BenchOptions } from './bench.ts'
import type { calls as bareCalls } from './jobs/bare.ts'
import type { calls as kernelCalls } from './jobs/kernel.ts'
import type { Lab } from './lab.ts'
import { type Findings, type Measurement, median, spread } from './measure.ts'
import { cpuMs } from './process-cost.ts'
import { startRemote } from './remote.ts'

/** Concurrencies at which bare BullMQ may show its best. */
const concurrencies = [10, 25, 50, 100, 200]
const ratioDemanded = 0.6

interface Run {
  readonly perSecond: number
  /** Processor time per job, in microseconds. */
  readonly cost: { readonly worker: number; readonly postgres: number; readonly redis: number }
}

/** Jobs with one INSERT: through the kernel, and through bare BullMQ at its best concurrency. */
export async function measureJobs(lab: Lab, { quick, repeats, tell }: BenchOptions): Promise<Findings> {
  const count = quick ? 5_000 : 20_000
  const concurrency = await bestConcurrency(lab, count / 4)
  tell(`bare BullMQ is at its best at concurrency ${concurrency}`)
  const bare: Run[] = []
  const kernel: Run[] = []
  for (let repeat = 0; repeat < repeats; repeat++) {
    bare.push(await runBare(lab, count, concurrency))
    kernel.push(await runKernel(lab, count))
    tell(`jobs/s: bare ${bare.at(-1)?.perSecond.toFixed(0)}, kernel ${kernel.at(-1)?.perSecond.toFixed(0)}`)
  }
  const measurements = [
    toMeasurement(`bare BullMQ, concurrency ${concurrency}`, bare),
    toMeasurement('kernel', kernel),
  ] as const
  const ratio = measurements[1].median / measurements[0].median
  return {
    measurements,
    goals: [
      {
        what: 'jobs with one INSERT, kernel to bare BullMQ',
        demanded: `>= ${ratioDemanded}`,
        measured: ratio.toFixed(2),
        met: ratio >= ratioDemanded,
      },
    ],
  }
}

async function bestConcurrency(lab: Lab, count: number): Promise<number> {
  const tried: { concurrency: number; perSecond: number }[] = []
  for (const concurrency of concurrencies)
    tried.push({ concurrency, perSecond: (await runBare(lab, count, concurrency)).perSecond })
  return tried.reduce((best, each) => (each.perSecond > best.perSecond ? each : best)).concurrency
}

async function runBare(lab: Lab, count: number, concurrency: number): Promise<Run> {
  const remote = startRemote<typeof bareCalls>('jobs/bare.ts', { ...(await lab.freshPlace()) })
  return run(lab, remote, count, total => remote.call('work', { count: total, concurrency }))
}

async function runKernel(lab: Lab, count: number): Promise<Run> {
  const remote = startRemote<typeof kernelCalls>('jobs/kernel.ts', { ...(await lab.freshPlace()) })
  return run(lab, remote, count, total => remote.call('work', { count: total }))
}

type Either =
  | ReturnType<typeof startRemote<typeof bareCalls>>
  | ReturnType<typeof startRemote<typeof kernelCalls>>

/** A tenth as warm-up, then the whole. */
async function run(
  lab: Lab,
  remote: Either,
  count: number,
  work: (count: number) => Promise<number>,
): Promise<Run> {
  try {
    await remote.call('prepare')
    await remote.call('fill', { count: count / 10 })
    await work(count / 10)
    await remote.call('fill', { count })
    const before = { ...lab.cpu(), worker: cpuMs(remote.pid) }
    const ms = await work(count)
    const after = { ...lab.cpu(), worker: cpuMs(remote.pid) }
    const cost = (who: keyof typeof before) => ((after[who] - before[who]) * 1_000) / count
    return {
      perSecond: (count * 1_000) / ms,
      cost: { worker: cost('worker'), postgres: cost('postgres'), redis: cost('redis') },
    }
  } finally {
    await remote.stop()
  }
}

const toMeasurement = (name: string, runs: readonly Run[]): Measurement => ({
  bench: 'jobs',
  case: name,
  unit: 'jobs/s',
  ...spread(runs.map(each => each.perSecond)),
  notes: Object.fromEntries(
    (['worker', 'postgres', 'redis'] as const).map(who => [
      `${who}CpuMicrosPerJob`,
      Math.round(median(runs.map(each => each.cost[who]))),
    ]),
  ),
})
