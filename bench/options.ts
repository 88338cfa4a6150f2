import { parseArgs } from 'node:util'

export const benchNames = ['jobs', 'accept', 'reservations', 'orders', 'memory'] as const
export type BenchName = (typeof benchNames)[number]

export interface Options {
  readonly benches: readonly BenchName[]
  readonly quick: boolean
  readonly repeats: number
  /** Also write the lines there. */
  readonly json: string | undefined
  readonly help: boolean
}

export const help = `Usage: bun run bench [jobs] [accept] [reservations] [orders] [memory] [--quick] [--repeats n] [--json file]

  jobs          jobs with one INSERT: through the kernel, and through bare BullMQ
  accept        requests accepted over HTTP: Hono alone, with JWT, with queue.add, and the real edge
  reservations  pieces reserved in the catalog, one hot SKU and 1,000, beside single statements
  orders        orders placed to paid over HTTP, at 1, 16 and 64 customers, everything in one process but the
                payment provider
  memory        memory of each process, and how soon it is ready

Without a name: all of them, in about 8 minutes. Brings its own Postgres and Redis (fsync on, appendonly yes) in a
temporary folder. One JSON line per measurement on stdout, a table and what the goals say on stderr.

  --quick      a third of the time: enough to see that it works, not to quote
  --repeats n  runs of each case, 1 to 20 (3); those of one bench take turns
  --json file  also write the lines there
`

const repeatsMax = 20

/** Reads the command line. Throws an Error with one line that says what is wrong. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      repeats: { type: 'string', default: '3' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const unknown = positionals.find(name => !isBench(name))
  if (unknown !== undefined)
    throw new Error(`There is no bench ${unknown}: choose of ${benchNames.join(', ')}.`)
  const repeats = Number(values.repeats)
  if (!Number.isInteger(repeats) || repeats < 1 || repeats > repeatsMax)
    throw new Error(`--repeats takes a number from 1 to ${repeatsMax}.`)
  const asked = benchNames.filter(name => positionals.includes(name))
  return {
    benches: asked.length > 0 ? asked : benchNames,
    quick: values.quick,
    repeats,
    json: values.json,
    help: values.help,
  }
}

const isBench = (name: string): name is BenchName => benchNames.some(each => each === name)
