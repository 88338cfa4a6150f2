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

/** A Postgres and a Redis that one suite may stop, kill and wipe. */
export async function startPrivateServers(): Promise<PrivateServers> {
  const dir = mkdtempSync(join(tmpdir(), 'waybill-faults-'))
  chmodSync(dir, 0o755) // as root, Postgres runs as somebody else
  // Without fsync: processes die here, machines do not.
  const [postgres, redis] = await Promise.all([
    startPostgres({ dir: join(dir, 'postgres'), settings: { max_connections: '500', fsync: 'off' } }),
    startRedis({ dir: join(dir, 'redis') }),
  ])
  return {
    postgres,
    redis,
    stop: async () => {
      await Promise.all([postgres.stop(), redis.stop()])
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
