import { join } from 'node:path'

const root = join(import.meta.dir, '..')
const running = new Set<Bun.Subprocess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A server of this repository in a process of its own. */
export interface Child {
  readonly pid: number
  /** How long it took from its start until it answered, in milliseconds. */
  readonly readyMs: number
  readonly stop: () => Promise<void>
}

/** Starts a script by its path from the root, and waits until `readyUrl` answers with 2xx (30 s at the most). */
export async function startServer(
  script: string,
  env: Readonly<Record<string, string | undefined>>,
  readyUrl: string,
): Promise<Child> {
  const startedAt = performance.now()
  const child = Bun.spawn([process.execPath, ...profiling(script), join(root, script)], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  running.add(child)
  const stop = async () => {
    child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), 30_000)
    await child.exited
    clearTimeout(force)
    running.delete(child)
  }
  try {
    await answering(readyUrl, child)
    return { pid: child.pid, readyMs: performance.now() - startedAt, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function answering(url: string, child: Bun.Subprocess): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await Bun.sleep(5)) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode} before it was ready`)
    const response = await fetch(url).catch(() => null)
    await response?.body?.cancel()
    if (response?.ok) return
  }
  throw new Error(`${url} did not answer within 30 s`)
}

/** BENCH_PROFILE names a folder: then every measured process leaves a CPU profile there. */
export function profiling(script: string): string[] {
  const folder = process.env.BENCH_PROFILE
  if (!folder) return []
  const name = `${script.replaceAll(/\W/g, '-')}.${Date.now()}.cpuprofile`
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}`]
}
