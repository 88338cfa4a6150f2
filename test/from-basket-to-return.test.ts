import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Launched } from '../deploy/launched.fixture.ts'
import { launchStart } from '../deploy/local/start.fixture.ts'

// Made for slow machines, not as an expectation.
setDefaultTimeout(240_000)

const page = readFileSync(join(import.meta.dir, '../docs/learning/from-basket-to-return.md'), 'utf8')
const dir = mkdtempSync(join(tmpdir(), 'waybill-basket-'))
let started: Launched

beforeAll(async () => {
  chmodSync(dir, 0o711)
  started = launchStart(join(dir, '.waybill'))
  await started.until('Ctrl-C stops everything.')
})
afterAll(async () => {
  started.kill('SIGTERM')
  await started.exited
  rmSync(dir, { recursive: true, force: true })
})

interface Step {
  readonly script: string
  /** What it prints; null where the page does not say. */
  readonly says: string | null
}
const steps: readonly Step[] = [...page.matchAll(/```sh\n([\s\S]*?)```(?:\n+```text\n([\s\S]*?)```)?/g)].map(
  ([, script = '', says = null]) => ({ script, says }),
)

// Not every machine that has Node has curl.
test.skipIf(Bun.which('curl') === null)(
  'docs/learning/from-basket-to-return.md works as it is written, and prints what it says',
  async () => {
    expect(steps.filter(({ says }) => says !== null).length).toBeGreaterThan(8)
    const script = steps.map(({ script }) => `${script}\necho '${mark}'`).join('\n')
    const shell = Bun.spawn(['bash', '-euo', 'pipefail', '-c', atThisStart(script)], {
      cwd: dir,
      stdout: 'pipe',
      stderr: 'inherit',
    })
    const [code, output] = await Promise.all([shell.exited, new Response(shell.stdout).text()])
    const printed = output.split(`${mark}\n`)
    expect(steps.map(({ says }, at) => says && withoutIds(printed[at] ?? 'nothing'))).toEqual(
      steps.map(({ says }) => says),
    )
    expect(code).toBe(0)
    expect(printed.at(-2)).toContain('"direction":"ended"')
  },
)

const mark = '--- end of a step'

/** Every port may be another one. */
function atThisStart(script: string): string {
  const portOf = (name: string) => new RegExp(`${name} +http://\\S+?:(\\d+)`).exec(started.output())?.[1]
  return script
    .replace('localhost:3000', `localhost:${portOf('API')}`)
    .replace('localhost:4100', `localhost:${portOf('payments')}`)
    .replace('localhost:4200', `localhost:${portOf('parcels')}`)
}

const withoutIds = (text: string): string => text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'STORE')
