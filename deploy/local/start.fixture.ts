import { join } from 'node:path'

export interface Started {
  /** What it has printed so far; both streams. */
  readonly output: () => string
  /** Resolves once it has printed this; throws if it ends without. */
  readonly until: (text: string) => Promise<void>
  readonly exited: Promise<number>
  readonly kill: (signal: NodeJS.Signals) => void
}

/** A real `npm start` without npm, on servers of its own in `dir` and on a free port unless `env` says otherwise. */
export function launchStart(
  dir: string,
  { args = [], env = {} }: { args?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
): Started {
  const { DATABASE_URL, REDIS_URL, NODE_ENV, LOG_LEVEL, ...rest } = process.env
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'start.ts'), '--dir', dir, ...args], {
    env: { ...rest, PORT: '0', ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  let output = ''
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) output += decoder.decode(chunk, { stream: true })
  }
  const ended = Promise.all([read(child.stdout), read(child.stderr)])
  return {
    output: () => output,
    until: async text => {
      while (!output.includes(text)) {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${output}`)
        await Bun.sleep(20)
      }
    },
    exited: ended.then(() => child.exited),
    kill: signal => child.kill(signal),
  }
}
