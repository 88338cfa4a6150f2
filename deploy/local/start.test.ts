import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { developmentAccounts } from './development-accounts.ts'
import { freePort, isPortFree } from './ports.ts'
import { signIn } from './session.ts'
import { launchStart } from './start.fixture.ts'
import { helpText, readOptions } from './start-options.ts'

const dir = mkdtempSync(join(tmpdir(), 'waybill-start-'))

// Made for slow disks, not as an expectation.
setDefaultTimeout(120_000)

beforeAll(() => chmodSync(dir, 0o711))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('npm start', () => {
  test('on an empty folder: sets all up, and tells of one order and one video to the end', async () => {
    const started = launchStart(dir, { args: ['--exit'] })
    expect([await started.exited, started.output()]).toEqual([0, expect.stringMatching(/\d applied\n/)])
    for (const step of [
      /POST \/v1\/orders +202\n/,
      /─ orders\.place +succeeded\n/,
      /─ attempt 1 +succeeded\n/,
      /─ payments\.charge +succeeded\n/,
      /─ payment\.captured +event\n/,
      /─ orders\.confirm-payment +succeeded\n/,
      /─ notifications\.mail-order-paid +succeeded\n/,
      /pending_payment +by orders\.place\n/,
      /paid +by orders\.confirm-payment\n/,
      /"Your receipt: €33\.70" to customer@example\.com\n/,
      /POST \/v1\/media\/conversions +202\n/,
      /─ media\.convert +succeeded\n/,
      /sample\.mp3, \d+ kB, 5\.\d+ s of sound\n/,
    ])
      expect(started.output()).toMatch(step)
    expect(started.output()).not.toContain('"level"')
    expect(readFileSync(join(dir, 'sample.mp3')).subarray(0, 3).toString()).toBe('ID3')
  })

  test('again: keeps what was there, doubles no sample, stays up, and ends with 0 on Ctrl-C', async () => {
    const started = launchStart(dir)
    await started.until('Ctrl-C stops everything.')
    expect(started.output()).toContain('nothing to apply')
    const url = /API +(\S+)/.exec(started.output())?.[1] ?? ''
    const { merchant, ...others } = developmentAccounts
    const { client } = await signIn(url, merchant)
    const { items } = await client.catalog.listProducts()
    const skus = ['MUG-BLUE', 'NOTEBOOK-A5', 'PIZZA-SOLE', 'POSTER-A2', 'TEA-ASSAM']
    expect(items.map(({ sku }) => sku).sort()).toEqual(skus)
    const stores = await client.catalog.listStores()
    expect(stores.items.map(({ name }) => name).sort()).toEqual([
      'Main store',
      'Paper & Ink',
      'Trattoria Sole',
    ])
    expect(items.find(({ sku }) => sku === 'MUG-BLUE')?.available).toBe(100_000 - 2 * 2)
    for (const login of Object.values(others)) await signIn(url, login)
    for (const [, page = ''] of started.output().matchAll(/(?:payments|parcels) +(http\S+),/g))
      expect(await (await fetch(page)).text()).toContain('simulator</h1>')

    started.kill('SIGINT')
    expect(await started.exited).toBe(0)
    expect(await isPortFree(Number(new URL(url).port))).toBe(true)
  })

  test('with a video that cannot be converted: says why, and --exit ends with 1', async () => {
    await Bun.write(join(dir, 'sample.mp4'), 'this is no video')
    const started = launchStart(dir, { args: ['--exit'] })
    expect(await started.exited).toBe(1)
    expect(started.output()).toContain('One order: succeeded')
    expect(started.output()).toContain('One video to mp3: did not succeed')
    expect(started.output()).toMatch(/─ media\.convert +rejected unsupported_format: /)
  })
})

describe('what stands in the way is one line that says what to do, and 1', () => {
  const refusal = async (env: Record<string, string>, args: string[] = []) => {
    const elsewhere = join(dir, 'elsewhere')
    const started = launchStart(elsewhere, { args, env })
    expect(await started.exited).toBe(1)
    expect(existsSync(elsewhere)).toBe(false)
    return started.output()
  }

  test('a port that is taken', async () => {
    const port = await freePort()
    const holder = createServer()
    await new Promise<void>(done => holder.listen(port, '127.0.0.1', done))
    expect(await refusal({ PORT: String(port) })).toBe(
      `Port ${port} (the API) is taken: stop what uses it, or set PORT to another one (PORT=0 takes a free one).\n`,
    )
    holder.close()
  })

  test('an option that it does not know', async () => {
    expect(await refusal({}, ['--nope'])).toBe(
      "Unknown option '--nope': npm start -- --help lists the options.\n",
    )
  })

  test.each([
    [{ PORT: 'http' }, 'PORT is http: set it to a number from 0 to 65535.'],
    [{ PORT: '70000' }, 'PORT is 70000: set it to a number from 0 to 65535.'],
    [
      { LOG_LEVEL: 'loud' },
      'LOG_LEVEL is loud: set it to one of trace, debug, info, warn, error, fatal, silent.',
    ],
    [
      { NODE_ENV: 'production' },
      'npm start opens accounts with known passwords, so it refuses NODE_ENV=production',
    ],
  ])('%o', (env, line) => {
    expect(() => readOptions([], env)).toThrow(line)
  })
})

test('--help lists every option and setting', async () => {
  const started = launchStart(dir, { args: ['--help'] })
  expect(await started.exited).toBe(0)
  expect(started.output()).toBe(`${helpText}\n`)
})
