import type { Queue } from 'bullmq'

/** Time from the first job to the last acknowledgement of the queue, the same for every system. */
export function stopwatch(queue: Queue, count: number) {
  let seen = 0
  let startedAt = 0
  const allSeen = Promise.withResolvers<void>()
  return {
    saw: () => {
      if (seen === 0) startedAt = performance.now()
      if (++seen === count) allSeen.resolve()
    },
    /** In milliseconds. */
    untilAcknowledged: async (): Promise<number> => {
      await allSeen.promise
      for (;;) {
        const { wait, active, delayed } = await queue.getJobCounts('wait', 'active', 'delayed')
        if (wait === 0 && active === 0 && delayed === 0) return performance.now() - startedAt
        await Bun.sleep(2)
      }
    },
  }
}
