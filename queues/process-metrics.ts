import process from 'node:process'
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client'

/** What prom-client knows of V8, or reads from /proc, and neither Bun nor Deno tells it: zeros that would look like figures. */
const empty =
  /^(nodejs_(heap_space|active|gc|version)_|process_(resident_memory|virtual_memory|heap)_bytes|process_\w+_fds$)/

/** Adds processor time, memory and the lag of the event loop of this process, under their usual names. */
export function measureProcess(registry: Registry): void {
  collectDefaultMetrics({ register: registry })
  for (const { name } of registry.getMetricsAsArray()) if (empty.test(name)) registry.removeSingleMetric(name)
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size in bytes.',
    registers: [registry],
    collect() {
      this.set(process.memoryUsage().rss)
    },
  })
}

/** Everything that the registry knows, in the text format of Prometheus. */
export async function exposition(registry: Registry): Promise<Response> {
  const text = await registry.metrics()
  const spelled = text.replaceAll(/ Nan$/gm, ' NaN') // prom-client's own spelling, which not every reader takes
  return new Response(spelled, { headers: { 'content-type': registry.contentType } })
}
