import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { preferPort, requirePort } from './ports.ts'
import { runServer, type Server } from './server.ts'
import { ensureTool } from './tools.ts'

export type RedisOptions = {
  /** Holds the data, the password and the log; made when missing. */
  dir: string
  /** Without it: the port of the last start on this folder if free, else any free one. */
  port?: number
  /** Keep the data over restarts (AOF, synced every second). Default: true. */
  appendonly?: boolean
}

/** Starts a Redis (or Valkey) of this folder on 127.0.0.1, with what BullMQ needs: no eviction. */
export async function startRedis({ dir, port, appendonly = true }: RedisOptions): Promise<Server> {
  if (port !== undefined) await requirePort(port, 'Redis', 'choose another port')
  const command = await ensureTool({
    programs: ['valkey-server', 'redis-server'],
    packages: { apt: 'redis-server', brew: 'valkey', dnf: 'valkey', apk: 'valkey', pacman: 'valkey' },
    otherwise: 'set REDIS_URL (for tests TEST_REDIS_URL) to a Redis of your own',
  })
  mkdirSync(join(dir, 'data'), { recursive: true })
  const chosen = port ?? (await preferPort(lastPort(dir)))
  const password = passwordOf(dir)
  const config = join(dir, 'redis.conf')
  writeFileSync(config, configuration({ dir, port: chosen, password, appendonly }), { mode: 0o600 })
  return runServer({
    name: 'Redis',
    url: `redis://:${password}@127.0.0.1:${chosen}`,
    port: chosen,
    dir,
    logFile: join(dir, 'redis.log'),
    command,
    args: [config],
    stopSignal: 'SIGTERM',
    isReady: () => answersPing(chosen, password),
  })
}

type Configuration = { dir: string; port: number; password: string; appendonly: boolean }

function configuration({ dir, port, password, appendonly }: Configuration): string {
  return `bind 127.0.0.1
port ${port}
requirepass ${password}
dir "${join(dir, 'data').replaceAll('"', '\\"')}"
appendonly ${appendonly ? 'yes' : 'no'}
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
`
}

function passwordOf(dir: string): string {
  const file = join(dir, 'password')
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600 })
  return readFileSync(file, 'utf8').trim()
}

function lastPort(dir: string): number | undefined {
  const port =
    existsSync(join(dir, 'redis.conf')) &&
    readFileSync(join(dir, 'redis.conf'), 'utf8').match(/^port (\d+)$/m)
  return port ? Number(port[1]) : undefined
}

/** False while it loads its data. The password makes sure that it is ours. */
async function answersPing(port: number, password: string): Promise<boolean> {
  let answer = ''
  const { promise, resolve } = Promise.withResolvers<boolean>()
  try {
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        data: (_, chunk) => {
          answer += chunk.toString()
          if (answer.includes('+PONG')) resolve(true)
          else if (answer.includes('-')) resolve(false)
        },
        close: () => resolve(false),
        error: () => resolve(false),
      },
    })
    socket.write(`AUTH ${password}\r\nPING\r\n`)
    return await Promise.race([promise, Bun.sleep(500).then(() => false)]).finally(() => socket.end())
  } catch {
    return false
  }
}
