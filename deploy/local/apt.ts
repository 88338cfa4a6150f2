import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { SetupError } from './setup-error.ts'

type Unpack = { packageName: string; programs: string[]; toolsDir: string; otherwise: string }

/**
 * Unpacks a Debian package and what it needs beyond the installed ones, without installing: needs no root and
 * starts no system service. Returns the path of a wrapper that sets the library path.
 */
export async function aptUnpack({ packageName, programs, toolsDir, otherwise }: Unpack): Promise<string> {
  const target = join(toolsDir, packageName)
  if (!existsSync(target)) {
    console.error(`Getting ${packageName} from the system's package archive ...`)
    const fresh = join(toolsDir, `${packageName}.${process.pid}.new`)
    try {
      await download(packageName, fresh)
      wrapPrograms(fresh)
      publish(fresh, target)
    } catch (error) {
      if (!(error instanceof AptError)) throw error
      throw new SetupError(
        `Cannot get ${packageName} from the package archive (${error.message}): install it yourself, or ${otherwise}.`,
      )
    } finally {
      rmSync(fresh, { recursive: true, force: true })
    }
  }
  const path = programs.map(name => join(target, 'wrappers', name)).find(existsSync)
  if (path !== undefined) return path
  throw new SetupError(`${target} holds no ${programs.join(' or ')}: delete that folder and start again.`)
}

class AptError extends Error {}

async function download(packageName: string, into: string): Promise<void> {
  const work = join(into, 'download')
  const debs = join(work, 'debs')
  mkdirSync(debs, { recursive: true })
  const files = await fetchDebs(packageName, debs, work)
  for (const file of files) await run(['dpkg', '-x', join(debs, file), into])
  rmSync(work, { recursive: true })
}

/** With the system's package lists, or, when they are absent or outdated, with fresh ones of our own. */
async function fetchDebs(packageName: string, debs: string, work: string): Promise<string[]> {
  try {
    return await fetchWith([], packageName, debs)
  } catch {
    // Not shared: two starts, or two tools of one start, may come here at once.
    const lists = join(work, 'lists')
    const cache = join(work, 'cache')
    for (const dir of [lists, cache]) mkdirSync(join(dir, 'partial'), { recursive: true })
    const own = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`]
    await run(['apt-get', ...options, ...own, 'update', '-q'])
    return await fetchWith(own, packageName, debs)
  }
}

const options = [
  ...['-o', 'Debug::NoLocking=1', '-o', 'APT::Sandbox::User=', '-o', 'APT::Get::AllowUnauthenticated=false'],
  ...['-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=20', '-o', 'Acquire::https::Timeout=20'],
]

async function fetchWith(lists: string[], packageName: string, debs: string): Promise<string[]> {
  const apt = ['apt-get', ...options, ...lists]
  const plan = await run([
    ...apt,
    'install',
    '--print-uris',
    '-qq',
    '-y',
    '--no-install-recommends',
    packageName,
  ])
  const names = [...plan.matchAll(/^'[^']*' ([^_]+)_/gm)].flatMap(match => match[1] ?? [])
  // The C library must be the one of the running loader.
  const wanted = names.filter(name => !/^(libc6|libc-bin|locales)$/.test(name))
  if (wanted.length === 0) throw new AptError(`no package to fetch for ${packageName}`)
  await run([...apt, 'download', '-q', ...wanted], debs)
  return readdirSync(debs).filter(file => file.endsWith('.deb'))
}

async function run(command: string[], cwd?: string): Promise<string> {
  const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
  const child = Bun.spawn(command, {
    env,
    stdout: 'pipe',
    stderr: 'pipe',
    ...(cwd === undefined ? {} : { cwd }),
  })
  const [code, output, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  // apt-get update exits 0 when the network is down.
  if (code === 0 && !/^(E:|W: Failed to fetch)/m.test(errors)) return output
  const telling = errors.split('\n').find(line => /^(E|W|Err):?/.test(line)) ?? errors.split('\n')[0] ?? ''
  throw new AptError(/resolv|connect|timed? ?out|unreachable/i.test(errors) ? 'no network' : telling.trim())
}

/** Wrappers set the library path for their program alone, relative to themselves: the checkout may be moved. */
function wrapPrograms(root: string): void {
  const libraries = ['lib', 'usr/lib']
    .flatMap(dir => libraryDirs(join(root, dir)))
    .map(dir => relative(root, dir))
  mkdirSync(join(root, 'wrappers'))
  for (const name of readdirSync(join(root, 'usr/bin'))) {
    const wrapper = join(root, 'wrappers', name)
    const path = libraries.map(dir => `$root/${dir}`).join(':')
    writeFileSync(
      wrapper,
      `#!/bin/sh\nroot="\${0%/*}/.."\nLD_LIBRARY_PATH="${path}" exec "$root/usr/bin/${name}" "$@"\n`,
    )
    chmodSync(wrapper, 0o755)
  }
}

function libraryDirs(dir: string): string[] {
  if (!existsSync(dir)) return []
  const entries = readdirSync(dir, { withFileTypes: true })
  const nested = entries
    .filter(entry => entry.isDirectory())
    .flatMap(entry => libraryDirs(join(dir, entry.name)))
  return entries.some(entry => /\.so(\.|$)/.test(entry.name)) ? [dir, ...nested] : nested
}

/** Another start may have been faster: its result is as good. */
function publish(fresh: string, target: string): void {
  try {
    renameSync(fresh, target)
  } catch (error) {
    if (!existsSync(target)) throw error
  }
}
