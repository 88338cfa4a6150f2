import process from 'node:process'
import { readEdgeSettings } from './config.ts'
import { openEdge } from './edge.ts'
import { runUntilSignal } from './serve.ts'

try {
  const settings = readEdgeSettings(process.env)
  await runUntilSignal(openEdge(settings), settings)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
