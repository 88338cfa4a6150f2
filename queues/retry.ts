/** When a failed attempt is made again. Pure: chance is an argument, so that a test can hold it still. */
export interface RetryPolicy {
  readonly name: string
  /** Attempts that may throw before the command becomes a dead letter. */
  readonly attemptsMax: number
  /** Wait before the attempt that follows `failures` failed ones, in milliseconds; `chance` is in [0, 1). */
  readonly delayMs: (failures: number, chance: number) => number
}

const exponential =
  (firstMs: number, longestMs: number) =>
  (failures: number, chance: number): number =>
    Math.round(Math.min(firstMs * 2 ** (failures - 1), longestMs) * (0.5 + chance / 2))

export const retry = {
  /** Work on our own tables: what fails here is a conflict or a short outage. */
  standard: { name: 'standard', attemptsMax: 8, delayMs: exponential(200, 60_000) },
  /** A call to somebody else's server: patient, for it may be down for hours. */
  remote: { name: 'remote', attemptsMax: 18, delayMs: exponential(1_000, 3_600_000) },
  /** Long, costly work that seldom fails by chance. */
  costly: { name: 'costly', attemptsMax: 4, delayMs: exponential(5_000, 300_000) },
} as const satisfies Record<string, RetryPolicy>
