import { type ChildProcess, spawn } from 'node:child_process'

export type TestCounts = { passed: number; failed: number }
export type CheckResult = { name: string; ok: boolean; seconds: number; tests?: TestCounts }
export type CheckOptions = { env?: Record<string, string>; isTestRun?: boolean }

/** One line of the list that `npm test` prints. A test run shows its output as it comes; others only when they fail. */
export class Check {
  #child: ChildProcess | undefined
  readonly #name: string
  readonly #command: string[]
  readonly #options: CheckOptions

  constructor(name: string, command: string[], options: CheckOptions = {}) {
    this.#name = name
    this.#command = command
    this.#options = options
  }

  async run(): Promise<CheckResult> {
    const { isTestRun = false } = this.#options
    const started = performance.now()
    console.log(isTestRun ? `${this.#name} ...` : `${this.#name} ${this.#command.slice(2).join(' ')}`)
    const { code, output } = await this.#execute(isTestRun)
    const ok = code === 0
    if (!ok && !isTestRun) console.log(output)
    const result = { name: this.#name, ok, seconds: (performance.now() - started) / 1000 }
    return isTestRun ? { ...result, tests: countTests(output, ok) } : result
  }

  /** Ends the command and everything it started. */
  kill(): void {
    if (this.#child?.pid !== undefined) killGroup(this.#child.pid)
  }

  /** In a process group of its own, so that what a test leaves behind goes with it. */
  #execute(isShown: boolean): Promise<{ code: number | null; output: string }> {
    const [command = '', ...args] = this.#command
    const colour = process.stderr.isTTY ? { FORCE_COLOR: '1' } : {}
    const env = { ...process.env, ...colour, ...this.#options.env }
    const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env })
    this.#child = child
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk
        if (isShown) process.stderr.write(chunk)
      })
    return new Promise((done, failed) => {
      child.once('error', failed)
      child.once('exit', () => this.kill())
      child.once('close', code => done({ code, output }))
    })
  }
}

/** From the summary that `bun test` ends with; a run that broke off before it counts as one failure. */
export function countTests(output: string, ok: boolean): TestCounts {
  const summary = Bun.stripANSI(output.slice(-4000))
  const last = (word: string) =>
    Number([...summary.matchAll(new RegExp(`^ *(\\d+) ${word}$`, 'gm'))].at(-1)?.[1] ?? 0)
  const failed = last('fail')
  return { passed: last('pass'), failed: ok ? failed : Math.max(failed, 1) }
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // Nothing of the group is left.
  }
}
