import type { MiddlewareHandler } from 'hono'
import { Counter, Histogram, type Registry } from 'prom-client'
import type { EdgeEnv } from './context.ts'

const bucketsS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Counts requests by operation and status, and how long their answers took to begin. */
export function countRequests(registry: Registry): MiddlewareHandler<EdgeEnv> {
  const registers = [registry]
  const requests = new Counter({
    name: 'waybill_http_requests_total',
    help: 'Requests answered; `none` is no operation of the API.',
    labelNames: ['operation', 'status'],
    registers,
  })
  const seconds = new Histogram({
    name: 'waybill_http_request_seconds',
    help: 'Until the answer began; a command that is waited for takes as long as its outcome.',
    labelNames: ['operation'],
    buckets: bucketsS,
    registers,
  })
  return async (c, next) => {
    const startedAt = performance.now()
    await next()
    const operation = c.get('operation') ?? 'none'
    requests.inc({ operation, status: String(c.res.status) })
    seconds.observe({ operation }, (performance.now() - startedAt) / 1_000)
  }
}
