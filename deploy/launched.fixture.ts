export interface Launched {
  /** What it has printed so far; both streams. */
  readonly output: () => string
  /** Resolves once it has printed this; throws if it ends without. */
  readonly until: (text: string) => Promise<void>
  readonly exited: Promise<number>
  readonly kill: (signal: NodeJS.Signals) => void
}

/** A program of this repository as a real process. */
export function launch(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Launched {
  const child = Bun.spawn([process.execPath, ...args], { env, stdout: 'pipe', stderr: 'pipe' })
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
