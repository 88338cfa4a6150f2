import { join } from 'node:path'
import { ensureFfmpeg } from './ffmpeg.ts'
import { canConnect } from './ports.ts'
import { startPostgres } from './postgres.ts'
import { startRedis } from './redis.ts'
import type { Server } from './server.ts'
import { SetupError } from './setup-error.ts'

export type ServersOptions = {
  /** Holds the data of the servers that are started here. */
  dir: string
  /** Servers that exist already, and are used instead of starting some. */
  existing?: { DATABASE_URL?: string | undefined; REDIS_URL?: string | undefined }
}

export type Servers = {
  /** What the processes of Waybill need to find them. */
  env: { DATABASE_URL: string; REDIS_URL: string; FFMPEG: string; FFPROBE: string }
  /** Absent when an existing one is used. */
  postgres?: Server
  redis?: Server
  stop(): Promise<void>
}

/** Brings up everything that is not Waybill itself. Throws a `SetupError` and leaves nothing running on failure. */
export async function startServers({ dir, existing = {} }: ServersOptions): Promise<Servers> {
  const started: Server[] = []
  const start = async (begin: () => Promise<Server>) => {
    const server = await begin()
    started.push(server)
    return server
  }
  const stop = async () => {
    await Promise.all(started.map(server => server.stop()))
  }
  const results = await Promise.allSettled([
    urlOrServer('DATABASE_URL', existing.DATABASE_URL, 5432, () =>
      start(() => startPostgres({ dir: join(dir, 'postgres') })),
    ),
    urlOrServer('REDIS_URL', existing.REDIS_URL, 6379, () =>
      start(() => startRedis({ dir: join(dir, 'redis') })),
    ),
    ensureFfmpeg(),
  ])
  const failure = results.find(({ status }) => status === 'rejected')
  const [postgres, redis, ffmpeg] = results
  if (postgres.status !== 'fulfilled' || redis.status !== 'fulfilled' || ffmpeg.status !== 'fulfilled') {
    await stop()
    throw failure?.status === 'rejected' ? failure.reason : new Error('unreachable')
  }
  return {
    env: {
      DATABASE_URL: postgres.value.url,
      REDIS_URL: redis.value.url,
      FFMPEG: ffmpeg.value.ffmpeg,
      FFPROBE: ffmpeg.value.ffprobe,
    },
    ...(postgres.value.server && { postgres: postgres.value.server }),
    ...(redis.value.server && { redis: redis.value.server }),
    stop,
  }
}

type Found = { url: string; server?: Server }

async function urlOrServer(
  name: string,
  url: string | undefined,
  defaultPort: number,
  start: () => Promise<Server>,
): Promise<Found> {
  if (!url) {
    const server = await start()
    return { url: server.url, server }
  }
  if (!URL.canParse(url))
    throw new SetupError(`${name} is not a URL: correct it, or unset it to start one here.`)
  const { hostname, port } = new URL(url)
  if (await canConnect(hostname, Number(port) || defaultPort)) return { url }
  throw new SetupError(
    `${name} names ${hostname}:${port || defaultPort}, where nothing answers: start that server, or unset ${name}.`,
  )
}
