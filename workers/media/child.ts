import type { Tools } from './config.ts'

export interface ChildOptions {
  readonly argv: readonly [string, ...string[]]
  readonly tools: Tools
  /** Its working folder: nothing of ours but its own output is there. */
  readonly cwd: string
  readonly limits: ChildLimits
  /** Answers true if the line tells of progress; without any for `stallMs` the child is ended. */
  readonly onLine?: (line: string) => boolean
  readonly signal: AbortSignal
}

export interface ChildLimits {
  readonly wallMs: number
  readonly stallMs: number
  readonly outputBytes: number
}

export interface Ended {
  readonly code: number | null
  /** Null if it ended by itself. */
  readonly killedBecause: 'wall clock' | 'stalled' | 'aborted' | 'too talkative' | null
  readonly signal: string | null
  readonly stdout: string
  /** Its last words. */
  readonly stderr: string
}

const memoryMaxBytes = 2 * 2 ** 30
const stdoutMaxChars = 10_000_000
const stderrKeptChars = 8_000

/**
 * Runs a program that reads files of strangers: no shell, no environment, limits of the system around it, and its
 * whole process group is killed when its time is up, when it stands still, or when nobody waits for it any more.
 */
export async function runChild({ argv, tools, cwd, limits, onLine, signal }: ChildOptions): Promise<Ended> {
  signal.throwIfAborted()
  let killedBecause: Ended['killedBecause'] = null
  const child = Bun.spawn([...wrappers(tools, limits), ...argv], {
    cwd,
    env: {},
    detached: true, // a process group of its own
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const kill = (because: NonNullable<Ended['killedBecause']>) => {
    killedBecause ??= because
    killGroup(child.pid)
  }
  const onAbort = () => kill('aborted')
  signal.addEventListener('abort', onAbort, { once: true })
  const wall = setTimeout(kill, limits.wallMs, 'wall clock')
  const stall = setTimeout(kill, limits.stallMs, 'stalled')
  try {
    const [stdout, stderr] = await Promise.all([
      readLines(child.stdout, {
        onLine: line => onLine?.(line) && stall.refresh(),
        onTooMuch: () => kill('too talkative'),
      }),
      readEnd(child.stderr),
    ])
    const code = await child.exited
    return {
      code: child.signalCode ? null : code,
      killedBecause,
      signal: child.signalCode === null ? null : String(child.signalCode),
      stdout,
      stderr,
    }
  } catch (error) {
    killGroup(child.pid)
    throw error
  } finally {
    clearTimeout(wall)
    clearTimeout(stall)
    signal.removeEventListener('abort', onAbort)
  }
}

function wrappers({ prlimit, setpriv }: Tools, { wallMs, outputBytes }: ChildLimits): string[] {
  const limited = prlimit
    ? [
        prlimit,
        `--as=${memoryMaxBytes}`,
        `--cpu=${Math.ceil(wallMs / 1_000)}`,
        `--fsize=${outputBytes}`,
        '--nofile=64',
        '--core=0',
        '--',
      ]
    : []
  // Without it a killed worker would leave the child running until its own limits end it.
  return [...(setpriv ? [setpriv, '--pdeathsig', 'KILL', '--'] : []), ...limited]
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  { onLine, onTooMuch }: { onLine: (line: string) => void; onTooMuch: () => void },
): Promise<string> {
  const decoder = new TextDecoder()
  let all = ''
  let unfinished = ''
  for await (const chunk of stream) {
    const text = decoder.decode(chunk, { stream: true })
    if (all.length > stdoutMaxChars) onTooMuch()
    else all += text
    const lines = (unfinished + text).split('\n')
    unfinished = lines.pop() ?? ''
    for (const line of lines) onLine(line.trimEnd())
  }
  return all
}

async function readEnd(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let end = ''
  for await (const chunk of stream)
    end = (end + decoder.decode(chunk, { stream: true })).slice(-stderrKeptChars)
  return end
}
