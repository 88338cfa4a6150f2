import { freePort } from '../deploy/local/ports.ts'
import { services } from '../queues/registry.ts'
import type { BenchOptions } from './bench.ts'
import { startServer } from './child.ts'
import type { Lab } from './lab.ts'
import { type Findings, type Measurement, median, spread } from './measure.ts'
import { residentMb } from './process-cost.ts'

const residentMbMax = 250
const readyMsMax = 2_000
const allInOne = 'everything in one process'

const processes = [
  { name: allInOne, script: 'deploy/single.ts' },
  { name: 'edge', script: 'edge/index.ts' },
  ...services.map(({ name }) => ({ name, script: `workers/${name}/index.ts` })),
]

interface Run {
  readonly readyMs: number
  readonly idleMb: number
}

/** What each process weighs a second after its start, with nothing to do, and how soon it was ready. */
export async function measureMemory(lab: Lab, { repeats, tell }: BenchOptions): Promise<Findings> {
  const place = await lab.freshPlace()
  const runs = new Map<string, Run[]>(processes.map(({ name }) => [name, []]))
  for (let repeat = 0; repeat < repeats; repeat++)
    for (const { name, script } of processes) {
      const PORT = String(await freePort())
      const env = { ...place, PORT, HOST: '127.0.0.1', LOG_LEVEL: 'warn' }
      const child = await startServer(script, env, `http://127.0.0.1:${PORT}/readyz`)
      await Bun.sleep(1_000)
      const run = { readyMs: child.readyMs, idleMb: residentMb(child.pid) }
      await child.stop()
      runs.get(name)?.push(run)
      tell(`${name}: ${run.idleMb.toFixed(0)} MB, ready after ${run.readyMs.toFixed(0)} ms`)
    }
  const all = runs.get(allInOne) ?? []
  const idleMb = median(all.map(run => run.idleMb))
  const readyMs = median(all.map(run => run.readyMs))
  return {
    measurements: [...runs].flatMap(([name, some]) => toMeasurements(name, some)),
    goals: [
      {
        what: `memory of ${allInOne}, idle`,
        demanded: `< ${residentMbMax} MB`,
        measured: `${idleMb.toFixed(0)} MB`,
        met: idleMb < residentMbMax,
      },
      {
        what: `${allInOne}, from start to ready, set up before`,
        demanded: `< ${readyMsMax} ms`,
        measured: `${readyMs.toFixed(0)} ms`,
        met: readyMs < readyMsMax,
      },
    ],
  }
}

const toMeasurements = (name: string, runs: readonly Run[]): Measurement[] => [
  { bench: 'memory', case: `${name}, idle`, unit: 'MB', ...spread(runs.map(run => run.idleMb)) },
  { bench: 'memory', case: `${name}, start to ready`, unit: 'ms', ...spread(runs.map(run => run.readyMs)) },
]
