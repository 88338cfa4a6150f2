import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Type-checks twice: made for slow machines, not as an expectation.
setDefaultTimeout(120_000)

const root = join(import.meta.dir, '..')
const copy = mkdtempSync(join(tmpdir(), 'waybill-first-command-'))
afterAll(() => rmSync(copy, { recursive: true, force: true }))

test('docs/learning/first-command.md works as it is written', async () => {
  copyRepository()
  const doc = readFileSync(join(root, 'docs/learning/first-command.md'), 'utf8')
  const [declaring = '', rest = ''] = doc.split('## 2. ')
  follow(declaring)
  const wanted = /```text\n(\S+): (.*)\n```/.exec(rest)
  const { code, output } = await run(['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'])
  const complaint = output.split('\n').find(line => line.startsWith('workers/'))
  expect(code).not.toBe(0)
  expect(complaint).toStartWith(String(wanted?.[1]))
  expect(complaint).toContain(String(wanted?.[2]))

  follow(rest)
  expect(await run(['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'])).toEqual({
    code: 0,
    output: '',
  })
  const tests = await run(['test', 'workers/catalog/describe.test.ts'])
  expect(tests.output).toContain(' 2 pass\n 0 fail')
})

/** Without what other tests and starts make. Types are checked of the service and what it imports. */
function copyRepository(): void {
  const rooms = ['queues', 'workers', 'db', 'test', 'package.json', 'bunfig.toml', 'tsconfig.json']
  for (const each of rooms) cpSync(join(root, each), join(copy, each), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const tsconfig = readFileSync(join(copy, 'tsconfig.json'), 'utf8')
  writeFileSync(
    join(copy, 'tsconfig.json'),
    tsconfig.replace(/"include": \[.*\]/, '"include": ["workers/catalog"]'),
  )
}

/** Does what the blocks of code say: a file that is new, or lines that replace others. */
function follow(text: string): void {
  for (const [, kind, file = '', block = ''] of text.matchAll(/```(ts|diff) (\S+)\n([\s\S]*?)```/g)) {
    if (kind === 'ts') writeFileSync(join(copy, file), block)
    else change(join(copy, file), block.trimEnd().split('\n'))
  }
}

function change(file: string, lines: readonly string[]): void {
  const side = (sign: '-' | '+') =>
    lines
      .filter(line => line.startsWith(' ') || line.startsWith(sign))
      .map(line => line.slice(1))
      .join('\n')
  const before = readFileSync(file, 'utf8')
  expect(before.split(side('-'))).toHaveLength(2)
  writeFileSync(
    file,
    before.replace(side('-'), () => side('+')),
  )
}

async function run(args: string[]): Promise<{ code: number; output: string }> {
  const child = Bun.spawn([process.execPath, ...args], { cwd: copy, stdout: 'pipe', stderr: 'pipe' })
  const [code, out, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { code, output: `${out}${errors}` }
}
