import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { own } from './owner.ts'
import { SetupError } from './setup-error.ts'

/** A database server on 127.0.0.1 that belongs to this process and ends with it, however it ends. */
export type Server = {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Ends it cleanly; after 15 s by force. Does nothing when it is not running. */
  stop(): Promise<void>
  /** Sends the signal at once and does not wait: SIGKILL, SIGSTOP and SIGCONT are what tests need. */
  kill(signal: NodeJS.Signals): void
  /** Starts it again on the same port and data, after ending it cleanly if it still runs. */
  restart(): Promise<void>
}

export type Launch = {
  name: string
  url: string
  port: number
  dir: string
  logFile: string
  command: string
  args: string[]
  env?: NodeJS.ProcessEnv
  /** Drops root: the ids to run as. */
  user?: { uid: number; gid: number }
  stopSignal: NodeJS.Signals
  /** Resolves to true once this very process answers. */
  isReady(pid: number): Promise<boolean>
  /** True when the text of the log says that the failure passes by itself. */
  isTransient?(log: string): boolean
}

export async function runServer(launch: Launch): Promise<Server> {
  const ownership = await own(launch.dir, launch.name)
  let running: Running
  const start = async () => {
    running = await startUntilReady(launch)
    ownership.setServer(running.pid)
  }
  try {
    await start()
  } catch (error) {
    ownership.release()
    throw error
  }
  const stop = () => end(running, launch.stopSignal)
  return {
    url: launch.url,
    port: launch.port,
    get pid() {
      return running.pid
    },
    stop: async () => {
      await stop()
      ownership.release()
    },
    kill: signal => {
      if (!running.hasEnded) process.kill(running.pid, signal)
    },
    restart: async () => {
      await stop()
      await start()
    },
  }
}

type Running = { pid: number; hasEnded: boolean; ended: Promise<void> }

async function startUntilReady(launch: Launch): Promise<Running> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const from = logSize(launch.logFile)
    const running = spawnServer(launch)
    while (!running.hasEnded && Date.now() < deadline) {
      if (await launch.isReady(running.pid)) return running
      await Bun.sleep(10)
    }
    await end(running, 'SIGKILL')
    const log = readLog(launch.logFile).slice(from)
    if (Date.now() > deadline || !launch.isTransient?.(log)) throw startFailure(launch, log)
    await Bun.sleep(100)
  }
}

/** Own process group: Ctrl-C in the terminal must end the application first and its databases last. */
function spawnServer({ command, args, env, user, logFile, stopSignal }: Launch): Running {
  const log = openSync(logFile, 'a', 0o600)
  const child = spawn(command, args, {
    detached: true,
    stdio: ['ignore', log, log],
    ...(env === undefined ? {} : { env }),
    ...user,
  })
  closeSync(log)
  const watcher = child.pid === undefined ? undefined : spawnWatcher(child.pid, stopSignal)
  const running: Running = {
    pid: child.pid ?? 0,
    hasEnded: false,
    ended: new Promise(done => {
      const onEnd = () => {
        running.hasEnded = true
        watcher?.kill('SIGKILL')
        done()
      }
      child.once('exit', onEnd)
      child.once('error', onEnd)
    }),
  }
  child.unref()
  return running
}

/** A shell that reads from a pipe of this process; the pipe ends when this process does, even by SIGKILL. */
function spawnWatcher(pid: number, stopSignal: NodeJS.Signals): ChildProcess {
  const script = `read _
    kill -CONT $1 2>/dev/null; kill -${stopSignal.slice(3)} $1 2>/dev/null
    i=0; while [ $i -lt 150 ] && kill -0 $1 2>/dev/null; do sleep 0.1; i=$((i + 1)); done
    kill -KILL $1 2>/dev/null`
  const watcher = spawn('sh', ['-c', script, 'watcher', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watcher.unref()
  return watcher
}

async function end(running: Running, signal: NodeJS.Signals): Promise<void> {
  if (running.hasEnded) return
  process.kill(running.pid, 'SIGCONT')
  process.kill(running.pid, signal)
  const force = setTimeout(() => process.kill(running.pid, 'SIGKILL'), 15_000)
  await running.ended
  clearTimeout(force)
}

function startFailure({ name, port, logFile }: Launch, log: string): SetupError {
  if (/address already in use/i.test(log))
    return new SetupError(`Port ${port} (${name}) is taken: stop what uses it, or choose another port.`)
  const lines = log.split('\n').filter(line => line.trim() !== '')
  const telling =
    lines.findLast(line => /FATAL|PANIC|error|fail/i.test(line)) ?? lines.at(-1) ?? 'it said nothing'
  return new SetupError(`${name} did not start: ${telling.trim()} (log: ${logFile})`)
}

function logSize(file: string): number {
  return readLog(file).length
}

function readLog(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
