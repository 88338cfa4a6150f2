import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { startMailbox } from './mailbox.ts'
import { freePort, isPortFree } from './ports.ts'
import { startPostgres } from './postgres.ts'
import { identify, isSameProcess } from './process-identity.ts'
import { startRedis } from './redis.ts'
import type { Server } from './server.ts'
import { startServers } from './servers.ts'
import { SetupError } from './setup-error.ts'

const dir = mkdtempSync(join(tmpdir(), 'waybill-local-'))

// Made for slow disks, not as an expectation.
setDefaultTimeout(60_000)

beforeAll(() => chmodSync(dir, 0o711))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('an embedded Postgres', () => {
  let server: Server
  beforeAll(async () => {
    server = await startPostgres({ dir: join(dir, 'pg'), settings: { max_connections: '20' } })
  })
  afterAll(() => server.stop())

  test('is durable, takes settings, and does not run as root', async () => {
    const [row] = await query(
      server,
      sql => sql`select current_setting('fsync') as fsync, current_setting('max_connections') as connections`,
    )
    expect(row).toEqual({ fsync: 'on', connections: '20' })
    if (process.platform === 'linux') expect(statSync(`/proc/${server.pid}`).uid).not.toBe(0)
  })

  test('refuses a wrong password', async () => {
    const wrong = server.url.replace(/:[^:@]+@/, ':wrong@')
    const sql = postgres(wrong, { max: 1 })
    await expect(sql`select 1`.execute()).rejects.toThrow('password authentication failed')
    await sql.end({ timeout: 1 })
  })

  test('keeps its password where only its user can read it', () => {
    expect(statSync(join(dir, 'pg/password')).mode & 0o777).toBe(0o600)
  })

  test('keeps committed rows and its address over SIGKILL and restart', async () => {
    await query(server, sql => sql`create table kept (x int)`)
    await query(server, sql => sql`insert into kept values (42)`)
    const { url, pid } = server
    server.kill('SIGKILL')
    await server.restart()
    expect(server.url).toBe(url)
    expect(server.pid).not.toBe(pid)
    expect(await query(server, sql => sql`select x from kept`)).toEqual([{ x: 42 }])
  })

  test('restarts while clients are connected', async () => {
    const sql = postgres(server.url, { max: 2, onnotice: () => {} })
    await sql`select 1`
    await server.restart()
    expect(await query(server, again => again`select 1 as one`)).toEqual([{ one: 1 }])
    await sql.end({ timeout: 1 })
  })

  test('refuses a second start on its folder', async () => {
    await expect(startPostgres({ dir: join(dir, 'pg') })).rejects.toThrow('already runs for process')
  })
})

describe('a Redis of our own', () => {
  let server: Server
  beforeAll(async () => {
    server = await startRedis({ dir: join(dir, 'redis') })
  })
  afterAll(() => server.stop())

  test('never evicts, keeps an append-only file and no snapshots', async () => {
    const redis = new Redis(server.url)
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
    expect(await redis.config('GET', 'appendonly')).toEqual(['appendonly', 'yes'])
    expect(await redis.config('GET', 'appendfsync')).toEqual(['appendfsync', 'everysec'])
    expect(await redis.config('GET', 'save')).toEqual(['save', ''])
    redis.disconnect()
  })

  test('keeps written keys and its address over SIGKILL and restart', async () => {
    await useRedis(server, async redis => {
      await redis.set('kept', '42')
      // Redis may hold a write back while it syncs the one before.
      while (!(await redis.info('persistence')).includes('aof_buffer_length:0')) await Bun.sleep(10)
    })
    server.kill('SIGKILL')
    await server.restart()
    expect(await useRedis(server, redis => redis.get('kept'))).toBe('42')
  })

  test('stops even while it is suspended', async () => {
    const other = await startRedis({ dir: join(dir, 'suspended'), appendonly: false })
    other.kill('SIGSTOP')
    await other.stop()
    expect(await isPortFree(other.port)).toBe(true)
  })

  test('refuses clients without the password', async () => {
    const redis = new Redis({ port: server.port, lazyConnect: true, retryStrategy: () => null })
    redis.on('error', () => {})
    await expect(redis.get('kept')).rejects.toThrow('NOAUTH')
    redis.disconnect()
  })
})

describe('a launcher that is killed', () => {
  test('takes its servers with it, and the next start has their data', async () => {
    const { launcher, servers, folder } = await launchElsewhere('orphan')
    launcher.kill('SIGKILL')
    await until(() => !servers.some(isSameProcess))
    await expectDataIn(folder)
  })

  test('together with its servers, as in a power cut, does not block the next start', async () => {
    const { launcher, servers, folder } = await launchElsewhere('power-cut')
    for (const { pid } of servers) process.kill(pid, 'SIGKILL')
    launcher.kill('SIGKILL')
    await launcher.exited
    await expectDataIn(folder)
  })
})

describe('a port that is taken', () => {
  let holder: TcpServer
  let port: number
  beforeAll(async () => {
    port = await freePort()
    holder = createServer()
    await new Promise<void>(done => holder.listen(port, '127.0.0.1', done))
  })
  afterAll(() => holder.close())

  test.each([
    ['Postgres', () => startPostgres({ dir: join(dir, 'taken-pg'), port })],
    ['Redis', () => startRedis({ dir: join(dir, 'taken-redis'), port })],
    ['the mailbox', () => startMailbox({ port })],
  ] as const)('%s: one line names the port and what to do', async (purpose, start) => {
    const error = await start().then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(SetupError)
    expect(String(error)).toBe(
      `SetupError: Port ${port} (${purpose}) is taken: stop what uses it, or choose another port.`,
    )
  })
})

describe('servers that are named already', () => {
  test('are used instead of starting others', async () => {
    const redis = await startRedis({ dir: join(dir, 'named') })
    const servers = await startServers({ dir: join(dir, 'servers'), existing: { REDIS_URL: redis.url } })
    expect(servers.env.REDIS_URL).toBe(redis.url)
    expect(servers.redis).toBeUndefined()
    expect(servers.postgres?.url).toBe(servers.env.DATABASE_URL)
    await servers.stop()
    expect(await useRedis(redis, client => client.ping())).toBe('PONG')
    await redis.stop()
  })

  test('and do not answer are one line, and nothing stays running', async () => {
    const port = await freePort()
    const existing = { DATABASE_URL: `postgres://user:secret@127.0.0.1:${port}/shop` }
    const starting = startServers({ dir: join(dir, 'unanswered'), existing })
    await expect(starting).rejects.toThrow(`DATABASE_URL names 127.0.0.1:${port}, where nothing answers`)
    await starting.catch(() => {})
    const redis = await startRedis({ dir: join(dir, 'unanswered/redis') })
    await redis.stop()
  })
})

async function query(
  server: Server,
  ask: (sql: postgres.Sql) => postgres.PendingQuery<postgres.Row[]>,
): Promise<postgres.Row[]> {
  const sql = postgres(server.url, { max: 1, onnotice: () => {} })
  try {
    return [...(await ask(sql))]
  } finally {
    await sql.end({ timeout: 1 })
  }
}

async function useRedis<T>(server: Server, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(server.url)
  try {
    return await use(redis)
  } finally {
    redis.disconnect()
  }
}

async function launchElsewhere(name: string) {
  const folder = join(dir, name)
  const script = `
    import { Redis } from 'ioredis'
    import { startPostgres } from './postgres.ts'
    import { startRedis } from './redis.ts'
    const pg = await startPostgres({ dir: '${folder}/pg' })
    const redis = await startRedis({ dir: '${folder}/redis' })
    const client = new Redis(redis.url)
    await client.set('kept', '42')
    while (!(await client.info('persistence')).includes('aof_buffer_length:0')) await Bun.sleep(10)
    console.log(JSON.stringify([redis.pid, pg.pid]))
    await Bun.sleep(60_000)`
  const launcher = Bun.spawn([process.execPath, '-e', script], { cwd: import.meta.dir, stdout: 'pipe' })
  const pids = JSON.parse(await firstLine(launcher.stdout)) as number[]
  const servers = pids.flatMap(pid => identify(pid) ?? [])
  expect(servers).toHaveLength(2)
  return { launcher, servers, folder }
}

async function expectDataIn(folder: string): Promise<void> {
  const redis = await startRedis({ dir: join(folder, 'redis') })
  expect(await useRedis(redis, client => client.get('kept'))).toBe('42')
  await redis.stop()
  const pg = await startPostgres({ dir: join(folder, 'pg') })
  expect(await query(pg, sql => sql`select 1 as one`)).toEqual([{ one: 1 }])
  await pg.stop()
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = ''
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk)
    if (text.includes('\n')) break
  }
  return text.split('\n')[0] ?? ''
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(20)
}
