import { join } from 'node:path'
import { type Launched, launch } from '../launched.fixture.ts'

/** A real `npm start` without npm, on servers of its own in `dir` and on a free port unless `env` says otherwise. */
export function launchStart(
  dir: string,
  { args = [], env = {} }: { args?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
): Launched {
  const { DATABASE_URL, REDIS_URL, NODE_ENV, LOG_LEVEL, ...rest } = process.env
  return launch([join(import.meta.dir, 'start.ts'), '--dir', dir, ...args], { ...rest, PORT: '0', ...env })
}
