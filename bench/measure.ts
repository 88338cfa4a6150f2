/** One line of the result: a figure, what it was measured on, and how far the runs lie apart. */
export interface Measurement {
  readonly bench: string
  readonly case: string
  readonly unit: string
  readonly median: number
  readonly min: number
  readonly max: number
  /** Latencies in milliseconds, the median over the runs. */
  readonly p50?: number
  readonly p99?: number
  readonly runs: number
  /** Whatever else is worth knowing, such as processor time per job. */
  readonly notes?: Readonly<Record<string, number | string>>
}

/** A demand on the figures, and whether it is met. */
export interface Goal {
  readonly what: string
  readonly demanded: string
  readonly measured: string
  readonly met: boolean
}

export interface Findings {
  readonly measurements: readonly Measurement[]
  readonly goals: readonly Goal[]
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** The smallest value that `share` of the values do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** Median, least and greatest of the runs. */
export const spread = (values: readonly number[]) => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values),
  runs: values.length,
})
