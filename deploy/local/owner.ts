import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identify, isSameProcess, type ProcessIdentity } from './process-identity.ts'
import { SetupError } from './setup-error.ts'

type Owner = { launcher: ProcessIdentity; server?: ProcessIdentity }

/** Holds a server's folder for this process, so that two starts never run two servers on one folder. */
export type Ownership = { setServer(pid: number): void; release(): void }

/**
 * Takes the folder. A server left by a launcher that was killed is ended first (SIGTERM, then SIGKILL after 15 s).
 * Throws a `SetupError` when the launcher that holds it still runs.
 */
export async function own(dir: string, name: string): Promise<Ownership> {
  const file = join(dir, 'owner.json')
  const launcher = identify(process.pid) ?? { pid: process.pid, startedAt: '' }
  while (!create(file, { launcher })) await evict(file, dir, name)
  return {
    setServer: pid => {
      const server = identify(pid)
      replace(file, server === undefined ? { launcher } : { launcher, server })
    },
    release: () => rmSync(file, { force: true }),
  }
}

function create(file: string, owner: Owner): boolean {
  try {
    writeFileSync(file, JSON.stringify(owner), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function replace(file: string, owner: Owner): void {
  const next = `${file}.next`
  writeFileSync(next, JSON.stringify(owner), { mode: 0o600 })
  renameSync(next, file)
}

async function evict(file: string, dir: string, name: string): Promise<void> {
  const owner = read(file) ?? (await Bun.sleep(100).then(() => read(file)))
  if (owner !== undefined && isSameProcess(owner.launcher))
    throw new SetupError(
      `${name} of ${dir} already runs for process ${owner.launcher.pid}: stop that process first, or use another checkout.`,
    )
  if (owner?.server !== undefined) await end(owner.server)
  rmSync(file, { force: true })
}

function read(file: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Owner
  } catch {
    // Half written, or gone: by a start in this very moment, or by one that was killed before anything ran.
    return undefined
  }
}

async function end(server: ProcessIdentity): Promise<void> {
  const deadline = Date.now() + 15_000
  for (const signal of ['SIGCONT', 'SIGINT'] as const)
    if (isSameProcess(server)) process.kill(server.pid, signal)
  while (isSameProcess(server)) {
    if (Date.now() > deadline) process.kill(server.pid, 'SIGKILL')
    await Bun.sleep(50)
  }
}
