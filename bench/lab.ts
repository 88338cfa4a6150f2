import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { connect } from '../db/client.ts'
import { migrate } from '../db/migrate.ts'
import { startPostgres } from '../deploy/local/postgres.ts'
import { startRedis } from '../deploy/local/redis.ts'
import type { Server } from '../deploy/local/server.ts'
import { cpuMs } from './process-cost.ts'

/** A Postgres and a Redis of their own, and a clean place in both for each run. */
export interface Lab {
  readonly versions: Readonly<Record<string, string>>
  /** A fresh migrated database and an empty Redis, as settings of a process; the ones before are dropped. */
  readonly freshPlace: () => Promise<Place>
  /** Processor time used so far by Postgres and by Redis, in milliseconds. */
  readonly cpu: () => { readonly postgres: number; readonly redis: number }
  readonly close: () => Promise<void>
}

export interface Place {
  readonly DATABASE_URL: string
  readonly REDIS_URL: string
  readonly QUEUE_PREFIX: string
}

/** Brings both servers up in a temporary folder, durable as in production: fsync on, appendonly yes. */
export async function openLab(): Promise<Lab> {
  const dir = mkdtempSync(join(tmpdir(), 'waybill-bench-'))
  chmodSync(dir, 0o711)
  const servers: Server[] = []
  const close = async () => {
    await Promise.all(servers.map(server => server.stop()))
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    const postgres = await startPostgres({ dir: join(dir, 'postgres'), settings: probes() })
    servers.push(postgres)
    const redis = await startRedis({ dir: join(dir, 'redis') })
    servers.push(redis)
    return {
      versions: await readVersions(postgres.url, redis.url),
      freshPlace: createPlaces(postgres.url, redis.url),
      cpu: () => ({ postgres: cpuMs(postgres.pid), redis: cpuMs(redis.pid) }),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** BENCH_STATEMENTS=1 counts statements, to see where Postgres spends its time. */
const probes = (): Record<string, string> =>
  process.env.BENCH_STATEMENTS ? { shared_preload_libraries: 'pg_stat_statements' } : {}

function createPlaces(postgresUrl: string, redisUrl: string): () => Promise<Place> {
  let previous: string | undefined
  return async () => {
    const owner = connect(postgresUrl, { max: 1 })
    const redis = new Redis(redisUrl)
    try {
      if (previous) await owner.unsafe(`drop database ${previous} with (force)`)
      previous = `bench_${randomBytes(4).toString('hex')}`
      await owner.unsafe(`create database ${previous}`)
      await redis.flushall()
    } finally {
      redis.disconnect()
      await owner.end()
    }
    const url = new URL(postgresUrl)
    url.pathname = `/${previous}`
    await migrate(url.href)
    return { DATABASE_URL: url.href, REDIS_URL: redisUrl, QUEUE_PREFIX: 'bench' }
  }
}

async function readVersions(postgresUrl: string, redisUrl: string): Promise<Record<string, string>> {
  const sql = connect(postgresUrl, { max: 1 })
  const redis = new Redis(redisUrl)
  try {
    const [row] = await sql<{ server_version: string }[]>`show server_version`
    const info = await redis.info('server')
    return {
      bun: Bun.version,
      postgres: row?.server_version ?? '',
      redis: info.match(/(?:valkey|redis)_version:(\S+)/)?.[1] ?? '',
      cores: String(cpus().length),
    }
  } finally {
    redis.disconnect()
    await sql.end()
  }
}
