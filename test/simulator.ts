import { startSimulator } from '../workers/payments/simulator/server.ts'

/** One payment provider for all suites of this process: keys of charges are unique, so that no suite meets another's. */
export const simulator = startSimulator({ laterMs: 200, slowMs: 500 })
simulator.unref()
/** Processes that tests start find it, too. */
process.env.SIMULATOR_URL = simulator.url

export const simulatorEnv = { SIMULATOR_URL: simulator.url }

/** What it did for these payments, by the id of the payment. */
export function chargesOf(paymentIds: Iterable<string>) {
  const wanted = new Set(Iterator.from(paymentIds).map(id => `charge:${id}`))
  return [...simulator.charges()].filter(({ key }) => wanted.has(key))
}
