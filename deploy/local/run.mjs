#!/usr/bin/env node
// Runs a TypeScript file of this repository on a machine that has only Node >= 20 or only Bun:
//   node deploy/local/run.mjs <script.ts> [args...]
// Installs the packages when they are missing or stale, then hands over to the pinned Bun.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const pinnedBun = join(root, 'node_modules/.bin/bun')
const stampFile = join(root, 'node_modules/.waybill-installed')
const scratch = join(root, '.waybill')
const installLog = join(scratch, 'install.log')

async function main([script, ...args]) {
  if (script === undefined) throw new SetupFailure('Usage: node deploy/local/run.mjs <script.ts> [args...]')
  if (!process.versions.bun && Number(process.versions.node.split('.')[0]) < 20)
    throw new SetupFailure(
      `Waybill needs Node 20 or newer, this is ${process.versions.node}: update Node, or use Bun.`,
    )
  if (isStale()) await installOnce()
  handOver([resolve(script), ...args])
}

/** The packages fit when the stamp equals the hash of everything that decides what is installed. */
function isStale() {
  if (!existsSync(pinnedBun) || !existsSync(stampFile)) return true
  return readFileSync(stampFile, 'utf8') !== wantedStamp()
}

function wantedStamp() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  const patches = readdirSync(join(root, 'db/patches')).sort()
  for (const file of ['package.json', 'bun.lock', ...patches.map(name => join('db/patches', name))])
    hash.update(file).update(readFileSync(join(root, file)))
  return hash.digest('hex')
}

async function installOnce() {
  const release = await lock(join(scratch, 'install.lock'))
  try {
    if (isStale()) await install()
  } finally {
    release()
  }
}

async function install() {
  const started = Date.now()
  const seconds = () => Math.round((Date.now() - started) / 1000)
  const stamp = wantedStamp()
  console.error('Installing packages ...')
  const heartbeat = setInterval(() => console.error(`Installing packages ... ${seconds()} s`), 10_000)
  try {
    const [command, ...args] = installer()
    await runLogged(command, [...args, 'install', '--frozen-lockfile'])
  } finally {
    clearInterval(heartbeat)
  }
  if (!existsSync(pinnedBun))
    throw new SetupFailure(`Installing packages left no ${pinnedBun}: see ${installLog}`)
  writeFileSync(stampFile, stamp)
  console.error(`Packages installed in ${seconds()} s`)
}

/** The command that answers as Bun: the running one, or the pinned version by way of npx. */
function installer() {
  if (process.versions.bun) return [process.execPath]
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return ['npx', '-y', `bun@${devDependencies.bun}`]
}

/** npm's own defaults take 70 s to notice that there is no network. */
const quickRetries = {
  npm_config_fetch_retries: '2',
  npm_config_fetch_retry_mintimeout: '1000',
  npm_config_fetch_retry_maxtimeout: '3000',
  npm_config_update_notifier: 'false',
}

function runLogged(command, args) {
  return new Promise((done, failed) => {
    let output = ''
    const env = { ...quickRetries, ...process.env }
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env })
    child.stdout.on('data', chunk => (output += chunk))
    child.stderr.on('data', chunk => (output += chunk))
    child.on('error', error => failed(cannotRun(command, error)))
    child.on('close', code => {
      writeFileSync(installLog, output)
      code === 0 ? done() : failed(installFailure(output))
    })
  })
}

function cannotRun(command, error) {
  if (error.code !== 'ENOENT') return error
  return new SetupFailure(
    `${command} is not on the PATH: install npm (it brings npx), or install Bun and run: bun start`,
  )
}

function installFailure(output) {
  const network =
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ConnectionRefused|FailedToOpenSocket|ConnectionClosed|ConnectionReset|DNSResolve|Timeout|network/i
  if (network.test(output))
    return new SetupFailure(
      'No network to the package registry: connect (or set NPM_CONFIG_REGISTRY to a mirror) and run this again.',
    )
  const lines = output.split('\n').filter(line => line.trim() !== '')
  const telling = lines.find(line => /^(error|npm error)/i.test(line)) ?? lines.at(-1) ?? 'no output'
  return new SetupFailure(`Installing packages failed: ${telling.trim()} (all of it: ${installLog})`)
}

/** One installer at a time per checkout. A lock whose owner has died is taken over. */
async function lock(directory) {
  const owner = join(directory, 'pid')
  for (let told = false; ; ) {
    try {
      mkdirSync(dirname(directory), { recursive: true })
      mkdirSync(directory)
      writeFileSync(owner, String(process.pid))
      return () => rmSync(directory, { recursive: true, force: true })
    } catch (error) {
      if (error.code !== 'EEXIST') throw new SetupFailure(`Cannot write to ${scratch}: ${error.message}`)
    }
    if (isAbandoned(directory, owner)) {
      rmSync(directory, { recursive: true, force: true })
      continue
    }
    if (!told) console.error('Another start is installing packages: waiting for it ...')
    told = true
    await new Promise(done => setTimeout(done, 200))
  }
}

function isAbandoned(directory, owner) {
  try {
    const pid = existsSync(owner) ? Number(readFileSync(owner, 'utf8')) : 0
    return pid > 0 ? !isAlive(pid) : Date.now() - statSync(directory).mtimeMs > 5000
  } catch {
    return false
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** The child ends by itself on a signal; this process only reports how. */
function handOver(args) {
  const env = { ...process.env, WAYBILL_LAUNCHER_PID: String(process.pid) }
  const child = spawn(pinnedBun, args, { stdio: 'inherit', env })
  child.on('error', error => {
    console.error(`Cannot run ${pinnedBun}: ${error.message}. Remove node_modules and run this again.`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // A terminal sends Ctrl-C to the whole group, so the child has had it already.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  if (process.env.npm_lifecycle_event) endWithParent(child)
}

/** A package manager that was killed cannot forward signals. */
function endWithParent(child) {
  const parent = process.ppid
  setInterval(() => process.ppid === parent || child.kill('SIGTERM'), 1000).unref()
}

/** A failure whose message is one line that says what to do. */
class SetupFailure extends Error {}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof SetupFailure ? error.message : error)
  process.exit(1)
}
