// A payment provider to develop and test against: `bun workers/payments/simulator/serve.ts --help` tells.
import { cards } from './cards.ts'
import { readSimulatorOptions, SimulatorSettings } from './config.ts'
import { startSimulator } from './server.ts'

if (process.argv.includes('--help') || process.argv.includes('-h')) {
  console.log(helpText())
  process.exit(0)
}
try {
  const simulator = startSimulator(readSimulatorOptions(process.env))
  console.log(JSON.stringify({ msg: 'ready', url: simulator.url }))
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, async () => {
      await simulator.stop()
      process.exit(0)
    })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

function helpText(): string {
  const settings = Object.entries(SimulatorSettings.properties).map(
    ([name, { description, default: standard }]) =>
      [name, `${description}${standard === '' ? '' : ` (${standard})`}`] as const,
  )
  const lines = (rows: readonly (readonly [string, string])[]) =>
    rows.map(([name, does]) => `  ${name.padEnd(28)}  ${does}`).join('\n')
  return `bun workers/payments/simulator/serve.ts

A payment provider without a bank behind it, which misbehaves on command. GET / shows its controls.

${lines(settings)}

Cards, by the token of the payment method:
${lines([...cards].map(([token, { does }]) => [token, does]))}`
}
