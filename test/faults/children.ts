import { join } from 'node:path'

export interface Child {
  readonly pid: number
  /** What it has said, line by line. */
  readonly said: readonly string[]
  readonly hasEnded: () => boolean
  readonly kill: (signal: NodeJS.Signals) => void
  /** Its exit code; -1 if a signal ended it. */
  readonly ended: Promise<number>
}

const alive = new Set<Child>()

/** Ends every child that still runs. Call it after all tests of a file. */
export async function endChildren(): Promise<void> {
  for (const child of alive) child.kill('SIGKILL')
  await Promise.all([...alive].map(child => child.ended))
}

/** Starts a program of this repository as a process of its own, and waits until it says that it is ready. */
export async function startChild(file: string, env: Record<string, string>): Promise<Child> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, '../..', file)], {
    env: { ...process.env, HOST: '127.0.0.1', PORT: '0', ...env },
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const said: string[] = []
  const ready = Promise.withResolvers<void>()
  const listen = async (stream: ReadableStream<Uint8Array>) => {
    for await (const line of linesOf(stream)) {
      said.push(line)
      if (line.includes('"ready"')) ready.resolve()
    }
  }
  const heard = Promise.all([listen(child.stdout), listen(child.stderr)])
  const ended = child.exited.then(async code => {
    await heard
    alive.delete(started)
    ready.reject(new Error(`${file} ended with ${code}: ${said.join('\n')}`))
    return child.signalCode === null ? code : -1
  })
  ready.promise.catch(() => {})
  const started: Child = {
    pid: child.pid,
    said,
    hasEnded: () => !alive.has(started),
    kill: signal => child.kill(signal),
    ended,
  }
  alive.add(started)
  await ready.promise
  return started
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true })
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    yield* lines
  }
  if (text !== '') yield text
}

export interface Supervisor {
  /** How often it has died. */
  readonly deaths: () => number
  readonly stop: () => Promise<void>
}

/** Starts it, and starts it again whenever it ends, as a platform does. */
export async function keepAlive(start: () => Promise<Child>): Promise<Supervisor> {
  let child = await start()
  let deaths = 0
  let isStopping = false
  const startAgain = async (): Promise<Child> => {
    for (;;) {
      try {
        return await start()
      } catch (error) {
        if (isStopping) throw error
        await Bun.sleep(200) // what it needs may be away
      }
    }
  }
  const watch = (async () => {
    for (;;) {
      await child.ended
      if (isStopping) return
      deaths++
      child = await startAgain()
      if (isStopping) child.kill('SIGKILL')
    }
  })().catch(() => {})
  return {
    deaths: () => deaths,
    stop: async () => {
      isStopping = true
      child.kill('SIGKILL')
      await watch
    },
  }
}
