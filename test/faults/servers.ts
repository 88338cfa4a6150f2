import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../../deploy/local/postgres.ts'
import { startRedis } from '../../deploy/local/redis.ts'
import type { Server } from '../../deploy/local/server.ts'

export interface PrivateServers {
  readonly postgres: Server
  readonly redis: Server
  readonly stop: () => Promise<void>
}

/** A Postgres and a Redis that one suite, or one test, may stop, kill and wipe. */
export async function startPrivateServers(): Promise<PrivateServers> {
  const [postgres, redis] = await Promise.all([startPrivatePostgres(), startPrivateRedis()])
  return {
    postgres,
    redis,
    stop: async () => {
      await Promise.all([postgres.stop(), redis.stop()])
    },
  }
}

/** Without fsync: processes die here, machines do not. */
export const startPrivatePostgres = (): Promise<Server> =>
  inOwnFolder(dir => startPostgres({ dir, settings: { max_connections: '1500', fsync: 'off' } }))

export const startPrivateRedis = (): Promise<Server> => inOwnFolder(dir => startRedis({ dir }))

async function inOwnFolder(start: (dir: string) => Promise<Server>): Promise<Server> {
  const dir = mkdtempSync(join(tmpdir(), 'waybill-faults-'))
  chmodSync(dir, 0o755) // as root, Postgres runs as somebody else
  const server = await start(join(dir, 'server'))
  const stop = async () => {
    await server.stop()
    rmSync(dir, { recursive: true, force: true })
  }
  return new Proxy(server, { get: (target, name) => (name === 'stop' ? stop : Reflect.get(target, name)) })
}
