// What `npm test` runs. Arguments go to `bun test`, and then lint and types are left out:
//   npm test -- workers/orders
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Check, type CheckResult } from './check.ts'
import { startServers } from './servers.ts'
import { exitWith } from './setup-error.ts'
import { onStopRequest } from './signals.ts'

const root = join(import.meta.dir, '../..')
const prefix = 'waybill-test-'

process.chdir(root)
const dir = makeTemporaryDir()
let running: Check | undefined
let stopServers = async () => {}
let isStopping = false

onStopRequest(async exitCode => {
  isStopping = true
  running?.kill()
  await cleanUp()
  process.exit(exitCode)
})

try {
  const results = await runAll(process.argv.slice(2))
  if (isStopping) await Promise.withResolvers().promise
  await cleanUp()
  report(results)
} catch (error) {
  await cleanUp()
  exitWith(error)
}

async function runAll(args: string[]): Promise<CheckResult[]> {
  const { TEST_DATABASE_URL, TEST_REDIS_URL } = process.env
  const existing = { DATABASE_URL: TEST_DATABASE_URL, REDIS_URL: TEST_REDIS_URL }
  const servers = await startServers({ dir, existing })
  stopServers = servers.stop
  const results: CheckResult[] = []
  for (const check of [...(args.length > 0 ? [] : staticChecks()), tests(args, servers.env)]) {
    if (isStopping) break
    running = check
    results.push(await check.run())
  }
  return results
}

function staticChecks(): Check[] {
  const bun = process.execPath
  // Under CI=true biome colours its output even into a file.
  const colours = process.stdout.isTTY ? 'force' : 'off'
  return [
    new Check('lint', [bun, 'node_modules/@biomejs/biome/bin/biome', 'ci', '.', `--colors=${colours}`]),
    new Check('types', [bun, 'node_modules/typescript/bin/tsc', '--noEmit', '-p', '.']),
  ]
}

/** What tests leave in their temporary folders, also when they are killed, goes with ours. */
function tests(args: string[], servers: Record<string, string>): Check {
  const env = { ...servers, TMPDIR: openFolder(join(dir, 'tmp')) }
  // A job whose worker was killed is recovered within 15 s, by design.
  const command = [process.execPath, 'test', '--timeout=60000', ...args]
  return new Check('tests', command, { env, isTestRun: true })
}

function report(results: CheckResult[]): never {
  const passed = results.reduce((sum, result) => sum + (result.tests?.passed ?? 0), 0)
  const failed = results.reduce((sum, result) => sum + (result.tests?.failed ?? Number(!result.ok)), 0)
  const summary = results.map(
    ({ name, ok, seconds }) => `${name} ${ok ? 'ok' : 'FAILED'} ${seconds.toFixed(1)} s`,
  )
  console.log(`\n${summary.join(', ')}\n${passed} passed, ${failed} failed`)
  process.exit(results.every(({ ok }) => ok) ? 0 : 1)
}

/** Data of its own, so that a running `npm start` is not touched. */
function makeTemporaryDir(): string {
  removeAbandoned()
  return openFolder(mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`)))
}

/** As root, Postgres runs as another user and has to pass. */
function openFolder(path: string): string {
  mkdirSync(path, { recursive: true })
  chmodSync(path, 0o711)
  return path
}

/** A run that was killed could not clean up. */
function removeAbandoned(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length).split('-')[0]) : 0
    if (pid > 0 && !isAlive(pid)) tryToRemove(join(tmpdir(), name))
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function cleanUp(): Promise<void> {
  await stopServers()
  // Servers of killed tests may be ending still, and write.
  for (let attempt = 0; existsSync(dir) && attempt < 50; attempt++) {
    if (attempt > 0) await Bun.sleep(100)
    tryToRemove(dir)
  }
}

function tryToRemove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {
    // Not empty any more, or not ours.
  }
}
