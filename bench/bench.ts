import type { Lab } from './lab.ts'
import type { Findings } from './measure.ts'

export interface BenchOptions {
  /** Shorter runs: enough to see that it works, not to quote. */
  readonly quick: boolean
  /** Runs of each case; those of one bench take turns, so that drift of the machine hits all. */
  readonly repeats: number
  /** Says what is going on, to whoever watches. */
  readonly tell: (line: string) => void
}

export type Bench = (lab: Lab, options: BenchOptions) => Promise<Findings>
