import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import type { Launched } from '../deploy/launched.fixture.ts'
import { launchStart } from '../deploy/local/start.fixture.ts'

// Made for slow disks, not as an expectation.
setDefaultTimeout(120_000)

const root = join(import.meta.dir, '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

describe('README.md against a running start', () => {
  const dir = mkdtempSync(join(tmpdir(), 'waybill-readme-'))
  let started: Launched
  let address: string

  beforeAll(async () => {
    chmodSync(dir, 0o711)
    started = launchStart(join(dir, '.waybill'))
    await started.until('Ctrl-C stops everything.')
    address = /API +http:\/\/(\S+)/.exec(started.output())?.[1] ?? ''
  })
  afterAll(async () => {
    started.kill('SIGTERM')
    await started.exited
    rmSync(dir, { recursive: true, force: true })
  })

  test('what it says a start prints is what a start prints', () => {
    const printed = new Set(started.output().split('\n').map(withoutFigures))
    const excerpt = blocks('text')[0]?.split('\n') ?? []
    expect(excerpt.length).toBeGreaterThan(20)
    expect(excerpt.map(withoutFigures).filter(line => !printed.has(line))).toEqual([])
  })

  // Not every machine that has Node has curl.
  test.skipIf(Bun.which('curl') === null)('its shell lines work, in a row', async () => {
    const script = blocks('sh').join('\n').replaceAll('localhost:3000', address)
    const shell = Bun.spawn(['bash', '-euo', 'pipefail', '-c', script], {
      cwd: dir,
      stdout: 'pipe',
      stderr: 'inherit',
    })
    const [code, output] = await Promise.all([shell.exited, new Response(shell.stdout).text()])
    expect(code).toBe(0)
    expect(output).toMatch(/^HTTP\/1\.1 202 Accepted\r\n/)
    expect(output).toContain('"totalMinor":2580')
    expect(output).toContain('"command":"payments.charge"')
    expect(output).toContain('"code":"out_of_stock"')
    expect(statSync(join(dir, 'my.mp3')).size).toBeGreaterThan(100_000)
  })

  test('its TypeScript works', async () => {
    const program = (blocks('ts')[0] ?? '')
      .replaceAll('localhost:3000', address)
      .replaceAll("'./client/", `'${root}/client/`)
    await Bun.write(join(dir, 'program.ts'), program)
    const child = Bun.spawn([process.execPath, join(dir, 'program.ts')], {
      stdout: 'pipe',
      stderr: 'inherit',
    })
    expect(await new Response(child.stdout).text()).toMatch(/^\S{36} succeeded\n$/)
  })
})

test('every link of every page leads somewhere', () => {
  const pages = ['.', 'docs'].flatMap(folder =>
    readdirSync(join(root, folder), { recursive: folder === 'docs', encoding: 'utf8' })
      .filter(name => name.endsWith('.md'))
      .map(name => join(root, folder, name)),
  )
  const broken = pages.flatMap(page =>
    [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)]
      .map(([, target = '']) => join(dirname(page), target))
      .filter(target => !existsSync(target))
      .map(target => `${relative(root, page)} -> ${relative(root, target)}`),
  )
  expect(broken).toEqual([])
})

test('docs/operating names every setting, and no other', () => {
  const named = new Set(
    [...readFileSync(join(root, 'docs/operating/README.md'), 'utf8').matchAll(/^\| (`.*?) \| \w/gm)].flatMap(
      ([, names = '']) => [...names.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name),
    ),
  )
  const configs = ['edge', 'workers'].flatMap(room =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .filter(file => basename(file) === 'config.ts')
      .map(file => readFileSync(join(root, room, file), 'utf8')),
  )
  const read = new Set(
    configs.flatMap(config => [...config.matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name]) => name)),
  )
  read.delete('WORKERS_URL') // named where the address of each service is
  expect([...named].sort()).toEqual([...read].sort())
})

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, block = '']) => block,
  )
}

/** Ids, times, sizes and ports differ from start to start. */
function withoutFigures(line: string): string {
  return line
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
    .replaceAll(/\b\d+(\.\d+)? (ms|s|kB|MB)\b/g, 'FIGURE')
    .replaceAll(/(127\.0\.0\.1|localhost):\d+/g, 'ADDRESS')
    .replaceAll(/ \S*\.waybill\//g, ' .waybill/')
    .replaceAll(/\s+/g, ' ')
    .trim()
}
