import type { BenchOptions } from './bench.ts'
import type { Lab } from './lab.ts'
import { type Findings, type Measurement, median, spread } from './measure.ts'
import { startRemote } from './remote.ts'
import type { calls as loadCalls, Way } from './reservations/load.ts'

const perSecondDemanded = 10_000
const buyers = 256
const plenty = 100_000_000

interface Case {
  readonly name: string
  readonly way: Way
  readonly skus: number
  readonly connections: number
}
const hot = 'catalog.reserve, 1 hot SKU'
const cases: readonly Case[] = [
  { name: hot, way: 'catalog.reserve', skus: 1, connections: 4 },
  { name: 'single statements, 1 hot SKU', way: 'single statements', skus: 1, connections: 4 },
  { name: 'catalog.reserve, 1,000 SKUs', way: 'catalog.reserve', skus: 1_000, connections: 4 },
  { name: 'single statements, 1,000 SKUs', way: 'single statements', skus: 1_000, connections: 16 },
]

interface Run {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

/** Pieces reserved in the catalog, as orders reserves them, beside one statement for each; nothing is oversold. */
export async function measureReservations(
  lab: Lab,
  { quick, repeats, tell }: BenchOptions,
): Promise<Findings> {
  const seconds = quick ? 1 : 4
  const place = await lab.freshPlace()
  const load = startRemote<typeof loadCalls>('reservations/load.ts', { ...place })
  try {
    const runs = new Map<string, Run[]>(cases.map(({ name }) => [name, []]))
    for (let repeat = 0; repeat < repeats; repeat++)
      for (const { name, ...how } of cases) {
        await load.call('fill', { skus: how.skus, onHand: plenty })
        const run = await load.call('reserve', { ...how, buyers, seconds })
        runs.get(name)?.push(run)
        tell(`${name}: ${run.perSecond.toFixed(0)}/s, p99 ${run.p99.toFixed(0)} ms`)
        const sale = { wanted: 2_000, onHand: 1_000 / how.skus }
        await load.call('fill', { skus: how.skus, onHand: sale.onHand })
        await load.call('sellOut', { ...how, buyers, ...sale })
      }
    return findings(runs)
  } finally {
    await load.stop()
  }
}

function findings(runs: ReadonlyMap<string, readonly Run[]>): Findings {
  const perSecond = median(runs.get(hot)?.map(run => run.perSecond) ?? [])
  return {
    measurements: [...runs].map(([name, some]) => toMeasurement(name, some)),
    goals: [
      {
        what: 'pieces of one hot SKU reserved in the catalog',
        demanded: `>= ${perSecondDemanded}/s`,
        measured: `${perSecond.toFixed(0)}/s`,
        met: perSecond >= perSecondDemanded,
      },
    ],
  }
}

const toMeasurement = (name: string, runs: readonly Run[]): Measurement => ({
  bench: 'reservations',
  case: name,
  unit: 'reservations/s',
  ...spread(runs.map(run => run.perSecond)),
  p50: median(runs.map(run => run.p50)),
  p99: median(runs.map(run => run.p99)),
})
