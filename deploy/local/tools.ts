import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { aptUnpack } from './apt.ts'
import { SetupError } from './setup-error.ts'

/** Everything that a start makes in the checkout: ignored by git, safe to delete while nothing runs. */
export const scratchDir = join(import.meta.dir, '../../.waybill')
export const toolsDir = join(scratchDir, 'tools')

/** One tool under the names and in the packages that carry it. */
export type Tool = {
  /** Program names in the order of preference. */
  programs: string[]
  packages: { apt: string; brew: string; dnf: string; apk: string; pacman: string }
  /** What to do instead of installing, e.g. `set REDIS_URL`. */
  otherwise: string
}

const managers = [
  { name: 'brew', args: ['install'], needsRoot: false },
  { name: 'dnf', args: ['install', '-y'], needsRoot: true },
  { name: 'apk', args: ['add'], needsRoot: true },
  { name: 'pacman', args: ['-S', '--noconfirm'], needsRoot: true },
] as const

/** The absolute path of the tool: from the PATH, unpacked from Debian packages, or by the package manager. */
export async function ensureTool(tool: Tool): Promise<string> {
  return onPath(tool) ?? (await unpacked(tool)) ?? (await installed(tool))
}

function onPath({ programs }: Tool): string | undefined {
  return programs.map(name => Bun.which(name)).find(path => path !== null) ?? undefined
}

async function unpacked({ programs, packages, otherwise }: Tool): Promise<string | undefined> {
  if (Bun.which('apt-get') === null || Bun.which('dpkg') === null) return undefined
  mkdirSync(toolsDir, { recursive: true })
  return aptUnpack({ packageName: packages.apt, programs, toolsDir, otherwise })
}

async function installed(tool: Tool): Promise<string> {
  const isRoot = process.getuid?.() === 0
  const manager = managers.find(({ name, needsRoot }) => Bun.which(name) !== null && (isRoot || !needsRoot))
  if (manager === undefined) throw missing(tool)
  const packageName = tool.packages[manager.name]
  console.error(`Installing ${packageName} with ${manager.name} ...`)
  const child = Bun.spawn([manager.name, ...manager.args, packageName], { stdout: 'ignore', stderr: 'pipe' })
  const [code, errors] = await Promise.all([child.exited, new Response(child.stderr).text()])
  const path = onPath(tool)
  if (path !== undefined) return path
  const said = errors.trim().split('\n').at(-1) ?? ''
  throw new SetupError(
    `${manager.name} could not install ${packageName} (exit ${code}: ${said}): install it by hand, or ${tool.otherwise}.`,
  )
}

function missing({ programs, packages, otherwise }: Tool): SetupError {
  return new SetupError(
    `No ${programs.join(' or ')} on the PATH: install it (Debian: apt-get install ${packages.apt}; macOS: brew install ${packages.brew}; Fedora: dnf install ${packages.dnf}), or ${otherwise}.`,
  )
}
