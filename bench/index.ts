import { writeFileSync } from 'node:fs'
import { onStopRequest } from '../deploy/local/signals.ts'
import { measureAccept } from './accept.ts'
import type { Bench } from './bench.ts'
import { measureJobs } from './jobs.ts'
import { type Lab, openLab } from './lab.ts'
import type { Goal, Measurement } from './measure.ts'
import { measureMemory } from './memory.ts'
import { type BenchName, help, type Options, readOptions } from './options.ts'
import { measureOrders } from './orders.ts'
import { toLine, toTable } from './report.ts'
import { measureReservations } from './reservations.ts'

const benches: Readonly<Record<BenchName, Bench>> = {
  jobs: measureJobs,
  accept: measureAccept,
  reservations: measureReservations,
  orders: measureOrders,
  memory: measureMemory,
}

let lab: Lab | undefined
onStopRequest(async exitCode => {
  await lab?.close()
  process.exit(exitCode)
})

try {
  const options = readOptions(process.argv.slice(2))
  if (options.help) console.log(help)
  else {
    lab = await openLab()
    await run(lab, options)
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  await lab?.close()
}
process.exit()

async function run(lab: Lab, { benches: names, quick, repeats, json }: Options): Promise<void> {
  const measurements: Measurement[] = []
  const goals: Goal[] = []
  const lines: string[] = []
  for (const name of names) {
    const tell = (line: string) => console.error(`${name}  ${line}`)
    const found = await benches[name](lab, { quick, repeats, tell })
    measurements.push(...found.measurements)
    goals.push(...found.goals)
    for (const measurement of found.measurements) {
      const line = toLine(measurement, lab.versions, new Date())
      console.log(line)
      lines.push(`${line}\n`)
    }
    if (json !== undefined) writeFileSync(json, lines.join(''))
  }
  console.error(`\n${toTable(measurements, goals)}`)
}
