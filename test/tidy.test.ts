import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { services } from '../queues/registry.ts'

const root = join(import.meta.dir, '..')
const rooms = ['edge', 'workers', 'queues', 'db', 'client', 'bench', 'test', 'deploy', 'console']
const sources = rooms.flatMap(room => filesUnder(room)).filter(file => /\.(ts|mjs)$/.test(file))

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}
const imports = sources.flatMap(importsOf)
const isTest = (file: string) => file.endsWith('.test.ts') || file.startsWith('test/')
/** Values that one file takes from another; types bind nobody at run time. */
const values = imports.filter(each => !each.typeOnly && !isTest(each.from))
const breaking = (from: RegExp, to: RegExp, unless?: (each: Import) => boolean) =>
  values
    .filter(each => from.test(each.from) && to.test(each.to) && !unless?.(each))
    .map(each => `${each.from} -> ${each.to}`)

describe('a room imports only what it may', () => {
  const contracts = new RegExp(`^queues/(${services.map(each => each.name).join('|')})\\.ts$`)

  test('a contract does no I/O: it imports the words of the contract and TypeBox', () => {
    expect(breaking(contracts, /^(?!queues\/)/, each => each.to === '@sinclair/typebox')).toEqual([])
    const kernel = /^queues\/(journal|enqueue|consume|sweep|redis|attempt|story|dead-letter)\.ts$/
    expect(breaking(contracts, kernel)).toEqual([])
  })
  test('only queues/ touches BullMQ', () => {
    expect(breaking(/^(edge|workers|client|db|console)\//, /^bullmq$/)).toEqual([])
  })
  test('the edge knows services by their contract and their types', () => {
    expect(breaking(/^edge\//, /^workers\//)).toEqual([])
  })
  test('domain.ts is pure: no SQL, no clock, no environment, no other service', () => {
    expect(breaking(/^workers\/\w+\/domain\.ts$/, /^(node:|postgres|bullmq|ioredis|elysia|hono)/)).toEqual([])
    expect(breaking(/^workers\/\w+\/domain\.ts$/, /^(db|edge|workers\/runtime)\//)).toEqual([])
    for (const file of sources.filter(each => /^workers\/\w+\/domain\.ts$/.test(each))) {
      expect(
        `${file}: ${/Date\.now|new Date\(\)|Math\.random|process\.env|Bun\./.exec(read(file)) ?? 'pure'}`,
      ).toBe(`${file}: pure`)
    }
  })
  test('commands.ts has no HTTP framework and no SQL client', () => {
    expect(breaking(/^workers\/\w+\/commands\.ts$/, /^(elysia|hono|postgres)$/)).toEqual([])
  })
  test('services know each other by contract: no service imports from the folder of another', () => {
    const folder = (file: string) => file.split('/')[1]
    const shared = (each: Import) => folder(each.to) === 'runtime' || folder(each.from) === folder(each.to)
    const whole = (each: Import) => each.from === 'workers/index.ts'
    expect(breaking(/^workers\//, /^workers\//, each => shared(each) || whole(each))).toEqual([])
  })
})

test('every file is used: imported, run by a script or a process, or a test', () => {
  const used = new Set(imports.map(each => each.to))
  const started = `${read('package.json')}${read('fly.toml')}${read('docker-compose.yml')}${read('deploy/Dockerfile')}${read('bunfig.toml')}`
  const spawned = sources.map(read).join('\n')
  const isStarted = (file: string) =>
    started.includes(file) ||
    new RegExp(`['"\`/]${file.split('/').at(-1)?.replaceAll('.', '\\.')}['"\`]`).test(spawned)
  const dead = sources.filter(file => !used.has(file) && !isTest(file) && !isStarted(file))
  expect(dead).toEqual([])
})

test('every command is tested where it is carried out', () => {
  const untested = services.flatMap(service => {
    const tests = filesUnder(`workers/${service.name}`).filter(file => file.endsWith('.test.ts'))
    const text = tests.map(read).join('\n')
    return service.commands
      .filter(({ name }) => !text.includes(name) && !text.includes(camel(name)))
      .map(({ name }) => name)
  })
  expect(untested).toEqual([])
})

test('every migration has a number of its own, without gaps', () => {
  const numbers = readdirSync(join(root, 'db/migrations')).map(name => Number(name.slice(0, 4)))
  expect(numbers.sort((a, b) => a - b)).toEqual(numbers.map((_, at) => at + 1))
})

// domain.ts is there where there is something to decide.
test('every folder of a service has the same rooms', () => {
  for (const { name } of services) {
    const rooms = readdirSync(join(root, 'workers', name))
    expect([
      name,
      ...['index.ts', 'commands.ts', 'store.ts', 'routes.ts'].filter(room => !rooms.includes(room)),
    ]).toEqual([name])
  }
})

/** `orders.confirm-payment` as the contract exports it: `confirmPayment`. */
function camel(command: string): string {
  return command
    .slice(command.indexOf('.') + 1)
    .replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function filesUnder(folder: string): string[] {
  try {
    return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter(each => each.isFile())
      .map(each => relative(root, join(each.parentPath, each.name)))
      .filter(file => !file.includes('node_modules'))
  } catch {
    return [] // a room that is not built yet
  }
}

function importsOf(file: string): Import[] {
  const found = read(file).matchAll(
    /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?from\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/g,
  )
  return [...found].map(([, type, fixed, dynamic]) => {
    const target = fixed ?? dynamic ?? ''
    const to = target.startsWith('.') ? normalize(join(dirname(file), target)) : target
    return { from: file, to, typeOnly: type !== undefined }
  })
}
