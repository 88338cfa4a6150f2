import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Settlement } from '../../queues/journal.ts'
import { exposition, measureProcess } from '../../queues/process-metrics.ts'
import { type BreakerView, breakerStates } from './ask.ts'
import type { Reading } from './readings.ts'

export interface MetricsDeps {
  /** Those of this process: each tells of its own queues. */
  readonly services: readonly string[]
  readonly breakers: () => readonly BreakerView[]
  readonly lastReading: () => Reading | null
}

/** What a process of services counts, for Prometheus. */
export interface Metrics {
  readonly registry: Registry
  /** An attempt has ended; it took so many milliseconds from its claim. */
  readonly settled: (type: string, outcome: SettledOutcome, ms: number) => void
  /** Everything as text. Asks nobody: what the database says was read before. */
  readonly scrape: () => Promise<Response>
}
/** `superseded`: another worker had taken the command over, and nothing of this attempt holds. */
export type SettledOutcome = Settlement['state'] | 'superseded'

const bucketsS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800]

export function createMetrics({ services, breakers, lastReading }: MetricsDeps): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const settled = createSettled(registers)
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name, help, labelNames, registers })

  const breakerState = gauge('waybill_breaker_state', '1 for the state that the breaker is in.', [
    'breaker',
    'state',
  ])
  const breakerCalls = gauge('waybill_breaker_calls', 'Calls of the last 20 seconds.', ['breaker'])
  const breakerFailures = gauge('waybill_breaker_failures', 'Those of them that failed.', ['breaker'])
  const readable = gauge('waybill_journal_readable', '1 if the figures of queues and invariants are there.')
  const queued = gauge('waybill_queue_commands', 'Open commands.', ['service', 'state'])
  const oldest = gauge('waybill_queue_oldest_due_seconds', 'How long the oldest command has been due.', [
    'service',
  ])
  const dead = gauge('waybill_dead_letters', 'Open dead letters.', ['service'])
  const holds = gauge('waybill_invariant_holds', '1 if it held at the last look, 0 if it was broken.', [
    'name',
  ])
  const checked = gauge('waybill_invariant_checked_timestamp_seconds', 'When that look was.', ['name'])

  const setBreakers = () => {
    for (const { name: breaker, state, calls, failures } of breakers()) {
      for (const each of breakerStates) breakerState.set({ breaker, state: each }, each === state ? 1 : 0)
      breakerCalls.set({ breaker }, calls)
      breakerFailures.set({ breaker }, failures)
    }
  }
  const setReading = () => {
    const reading = lastReading()
    for (const each of [queued, oldest, dead, holds, checked]) each.reset()
    readable.set(reading === null ? 0 : 1)
    if (reading === null) return
    for (const service of services) {
      const queue = reading.queues.find(each => each.service === service)
      for (const state of ['due', 'running', 'later'] as const)
        queued.set({ service, state }, queue?.[state] ?? 0)
      oldest.set({ service }, queue?.oldestDueS ?? 0)
      dead.set({ service }, reading.deadLetters.find(each => each.service === service)?.open ?? 0)
    }
    for (const { name, holds: held, checkedAt } of reading.findings) {
      holds.set({ name }, held ? 1 : 0)
      checked.set({ name }, checkedAt.getTime() / 1_000)
    }
  }

  let isMeasuring = false
  return {
    registry,
    settled,
    scrape: async () => {
      if (!isMeasuring) measureProcess(registry) // a timer runs from then on: not where nobody scrapes
      isMeasuring = true
      setBreakers()
      setReading()
      return exposition(registry)
    },
  }
}

/** On the way of every command, so the labels are looked up once. */
function createSettled(registers: Registry[]): Metrics['settled'] {
  const count = new Counter({
    name: 'waybill_commands_settled_total',
    help: 'Attempts that ended, by how they ended.',
    labelNames: ['type', 'outcome'],
    registers,
  })
  const seconds = new Histogram({
    name: 'waybill_command_seconds',
    help: 'From the claim of a command to the end of the attempt.',
    labelNames: ['type'],
    buckets: bucketsS,
    registers,
  })
  const perType = new Map<string, Ended>()
  const startType = (type: string): Ended => {
    const ended = { counts: new Map(), seconds: seconds.labels({ type }) }
    perType.set(type, ended)
    return ended
  }
  const startCount = (type: string, outcome: SettledOutcome, { counts }: Ended): Counter.Internal => {
    const counted = count.labels({ type, outcome })
    counts.set(outcome, counted)
    return counted
  }
  return (type, outcome, ms) => {
    const ended = perType.get(type) ?? startType(type)
    const counted = ended.counts.get(outcome) ?? startCount(type, outcome, ended)
    counted.inc()
    ended.seconds.observe(ms / 1_000)
  }
}

/** What is counted of one type of command. */
interface Ended {
  readonly counts: Map<SettledOutcome, Counter.Internal>
  readonly seconds: Histogram.Internal<'type'>
}
