import { expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dir, '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const filesUnder = (folder: string, end: string) =>
  readdirSync(join(root, folder), { recursive: true })
    .map(name => join(folder, String(name)))
    .filter(file => file.endsWith(end))

const pages = [...readdirSync(root).filter(name => name.endsWith('.md')), ...filesUnder('docs', '.md')]
const decisions = pages.filter(page => /^docs\/decisions\/\d{4}/.test(page))
const rooms = ['edge', 'workers', 'queues', 'db', 'client', 'test', 'deploy']
const tests = rooms.flatMap(room => filesUnder(room, '.test.ts'))
const titles = new Set(
  tests.flatMap(file =>
    [...read(file).matchAll(/\b(?:test|describe)\(\s*(['"`])(.+?)\1,/g)].map(found => found[2]),
  ),
)

test('every link of a page leads to a file', () => {
  const broken = pages.flatMap(page =>
    [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .filter(([, target = '']) => !existsSync(join(root, dirname(page), target)))
      .map(([, target]) => `${page} -> ${target}`),
  )
  expect(broken).toEqual([])
})

test('every decision is confirmed by tests that are there, and listed', () => {
  expect(decisions.length).toBeGreaterThan(0)
  const list = read('docs/decisions/README.md')
  for (const page of decisions) {
    const confirmation = read(page).split('**Confirmation.**')[1]?.replace(/\s+/g, ' ') ?? ''
    const files = [...confirmation.matchAll(/`([^`]+)`/g)].map(found => found[1] ?? '')
    const quotes = [...confirmation.matchAll(/"([^"]+)"/g)].map(found => found[1] ?? '')
    expect([page, files.length > 0, files.filter(file => !tests.includes(file))]).toEqual([page, true, []])
    expect([page, quotes.filter(title => !titles.has(title))]).toEqual([page, []])
    expect(list).toContain(page.slice('docs/decisions/'.length))
  }
})
