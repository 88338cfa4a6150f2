// A carrier that misbehaves on demand, for development: `bun workers/shipping/simulator/index.ts`.
import { readShippingSettings } from '../config.ts'
import { startSimulator } from './server.ts'

const env = Object.freeze({ ...process.env })
const { simulator } = readShippingSettings(env)
const publicUrl = env.PUBLIC_URL || 'http://localhost:3000'
const running = startSimulator({
  port: Number(new URL(simulator.url).port || 80),
  hostname: env.HOST || '127.0.0.1',
  secret: simulator.secret,
  webhookUrl: `${publicUrl}/v1/webhooks/shipping/simulator`,
  stepMs: 5_000,
})
console.log(`the simulated carrier listens on ${running.url}`)
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => void running.stop().then(() => process.exit(0)))
