/** Time in which this process should have run and could not, in milliseconds: a slow machine is no slow recovery. */
export interface Lag {
  readonly totalMs: () => number
  readonly stop: () => void
}

const everyMs = 50

export function measureLag(): Lag {
  let totalMs = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    totalMs += Math.max(0, now - last - everyMs - 5)
    last = now
  }, everyMs)
  return { totalMs: () => totalMs, stop: () => clearInterval(timer) }
}
