import { collectDefaultMetrics, type Registry } from 'prom-client'

/** What prom-client knows of V8 alone, and Bun does not tell: zeros that would look like figures. */
const emptyUnderBun = /^nodejs_(heap_space|active|gc|version)_/

/** Adds processor time, memory, open files and the lag of the event loop of this process, under their usual names. */
export function measureProcess(registry: Registry): void {
  collectDefaultMetrics({ register: registry })
  for (const { name } of registry.getMetricsAsArray())
    if (emptyUnderBun.test(name)) registry.removeSingleMetric(name)
}

/** Everything that the registry knows, in the text format of Prometheus. */
export async function exposition(registry: Registry): Promise<Response> {
  const text = await registry.metrics()
  const spelled = text.replaceAll(/ Nan$/gm, ' NaN') // prom-client's own spelling, which not every reader takes
  return new Response(spelled, { headers: { 'content-type': registry.contentType } })
}
