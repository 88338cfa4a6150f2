import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { preferPort, requirePort } from './ports.ts'
import { postgresBinaries } from './postgres-binaries.ts'
import { runServer, type Server } from './server.ts'
import { SetupError } from './setup-error.ts'
import { giveAway, type Unprivileged, unprivileged } from './unprivileged.ts'

const superuser = 'postgres'
const database = 'waybill'

export type PostgresOptions = {
  /** Holds the data, the password and the log; made when missing. */
  dir: string
  /** Without it: the port of the last start on this folder if free, else any free one. */
  port?: number
  /** Overrides of postgresql.conf, e.g. `{ max_connections: '50' }`. */
  settings?: Record<string, string>
}

/** Starts a real Postgres of this folder on 127.0.0.1. `url` names the superuser and the database `waybill`. */
export async function startPostgres({ dir, port, settings = {} }: PostgresOptions): Promise<Server> {
  const bin = postgresBinaries()
  if (port !== undefined) await requirePort(port, 'Postgres', 'choose another port')
  mkdirSync(dir, { recursive: true, mode: 0o755 })
  const data = join(dir, 'data')
  const runAs = unprivileged([data, bin])
  const password = passwordOf(dir)
  if (!existsSync(data)) initialize(bin, dir, runAs)
  giveAway(data)
  const chosen = port ?? (await preferPort(lastPort(dir)))
  writeFileSync(join(dir, 'port'), String(chosen))
  const [command = '', ...args] = [
    ...runAs.wrap,
    join(bin, 'postgres'),
    '-D',
    data,
    ...flags(chosen, settings),
  ]
  return runServer({
    name: 'Postgres',
    url: `postgres://${superuser}:${password}@127.0.0.1:${chosen}/${database}`,
    port: chosen,
    dir,
    logFile: join(dir, 'postgres.log'),
    command,
    args,
    ...(runAs.user === undefined ? {} : { user: runAs.user }),
    stopSignal: 'SIGINT',
    isReady: async pid => isReady(data, pid),
    // After SIGKILL the old backends need a moment to notice.
    isTransient: log => /still in use|lock file "postmaster.pid" already exists/.test(log),
  })
}

function flags(port: number, settings: Record<string, string>): string[] {
  const all = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    ...settings,
  }
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

function passwordOf(dir: string): string {
  const file = join(dir, 'password')
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600 })
  giveAway(file)
  return readFileSync(file, 'utf8').trim()
}

/** Made beside its place and then renamed, so that an initialization that was killed leaves nothing half done. */
function initialize(bin: string, dir: string, runAs: Unprivileged): void {
  const fresh = join(dir, 'data.new')
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh, { mode: 0o700 })
  giveAway(fresh)
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const access = [`--username=${superuser}`, '--auth=scram-sha-256', `--pwfile=${join(dir, 'password')}`]
  run(runAs, [join(bin, 'initdb'), '-D', fresh, ...locale, ...access])
  run(runAs, [join(bin, 'postgres'), '--single', '-D', fresh, 'postgres'], `CREATE DATABASE ${database};\n`)
  renameSync(fresh, join(dir, 'data'))
}

function run({ wrap, user }: Unprivileged, program: string[], input = ''): void {
  const [command = '', ...args] = [...wrap, ...program]
  const { status, stdout, stderr, error } = spawnSync(command, args, { input, encoding: 'utf8', ...user })
  if (status === 0) return
  const lines = `${stdout}\n${stderr}`.split('\n').filter(line => line.trim() !== '')
  const telling =
    lines.find(line => /error|fatal/i.test(line)) ?? lines.at(-1) ?? error?.message ?? 'no output'
  throw new SetupError(
    `Postgres cannot initialize: ${telling.trim()}. Or set DATABASE_URL to a server of your own.`,
  )
}

function lastPort(dir: string): number | undefined {
  const file = join(dir, 'port')
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined
}

/** Postgres itself writes its process id and state there; that needs no connection and cannot mean another server. */
function isReady(data: string, pid: number): boolean {
  const file = join(data, 'postmaster.pid')
  if (!existsSync(file)) return false
  const lines = readFileSync(file, 'utf8').split('\n')
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
}
