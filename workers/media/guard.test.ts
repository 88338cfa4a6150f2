import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { convertArguments, probeArguments } from './arguments.ts'
import { runChild } from './child.ts'
import { readConfig } from './config.ts'
import { makeSamples, type Samples } from './samples.fixture.ts'

let dir: string
let samples: Samples
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'waybill-guard-'))
  samples = await makeSamples(dir)
})
afterAll(() => rm(dir, { recursive: true }))

const { tools } = readConfig(process.env)
const run = (argv: readonly [string, ...string[]]) =>
  runChild({
    argv,
    tools,
    cwd: dir,
    limits: { wallMs: 30_000, stallMs: 30_000, outputBytes: 2 ** 30 },
    signal: new AbortController().signal,
  })

test.each(['playlist.mp4', 'script.mp4'] as const)(
  '%s, which names the file of somebody else, is refused by ffmpeg itself even if nobody looked at it before',
  async name => {
    const output = join(dir, `${name}.mp3`)
    const options = { preset: 'mp3-128', durationMaxMs: 60_000 } as const
    const probed = await run([tools.ffprobe, ...probeArguments(samples[name])])
    const converted = await run([tools.ffmpeg, ...convertArguments(samples[name], output, options)])
    expect([probed.code, converted.code]).not.toContain(0)
    expect(probed.stdout).not.toContain('audio')
    expect(await Bun.file(output).exists()).toBe(false)
  },
)

test('the same arguments convert an honest file', async () => {
  const output = join(dir, 'honest.mp3')
  const options = { preset: 'mp3-128', durationMaxMs: 60_000 } as const
  const ended = await run([tools.ffmpeg, ...convertArguments(samples['good.mp4'], output, options)])
  expect(ended.code).toBe(0)
  expect(Bun.file(output).size).toBeGreaterThan(90_000)
})
