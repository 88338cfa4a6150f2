import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ChildOptions, runChild } from './child.ts'
import { readConfig } from './config.ts'

let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'waybill-child-'))
})
afterAll(() => rm(cwd, { recursive: true }))

const { tools } = readConfig(process.env)
const patient = { wallMs: 30_000, stallMs: 30_000, outputBytes: 2 ** 20 }
const run = (script: string, options: Partial<ChildOptions> = {}) =>
  runChild({
    argv: ['/bin/sh', '-c', script],
    tools,
    cwd,
    limits: patient,
    signal: new AbortController().signal,
    ...options,
  })

describe('a child', () => {
  test('answers with its code, its words and its last words', async () => {
    expect(await run('echo out; echo err >&2; exit 3')).toEqual({
      code: 3,
      killedBecause: null,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
    })
  })
  test('knows nothing of the environment of the service', async () => {
    const { stdout } = await run('', { argv: ['/usr/bin/env'] })
    expect(stdout).toBe('')
  })
  test('is not started for a caller who has gone', async () => {
    expect(run('echo out', { signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow('gone')
  })
  test('stays within the bytes it may write', async () => {
    if (!tools.prlimit) return // this system has no such limits; ffmpeg is told its own
    const ended = await run('head -c 100000 /dev/zero > big', { limits: { ...patient, outputBytes: 1_000 } })
    expect(ended.code).not.toBe(0)
    expect((await stat(join(cwd, 'big'))).size).toBe(1_000)
  })
})

describe('a child is killed with all that it started', () => {
  /** Starts a grandchild, tells its id, and waits. */
  const family = 'sleep 1000 & echo $!; wait'

  test('when its time is up', async () => {
    const ended = await run(family, { limits: { ...patient, wallMs: 200 } })
    expect(ended).toMatchObject({ code: null, killedBecause: 'wall clock', signal: 'SIGKILL' })
    expect(await isGone(Number(ended.stdout))).toBe(true)
  })
  test('when it says no word of progress for too long', async () => {
    const ended = await run(family, { limits: { ...patient, stallMs: 200 } })
    expect(ended.killedBecause).toBe('stalled')
    expect(await isGone(Number(ended.stdout))).toBe(true)
  })
  test('when nobody waits for it any more', async () => {
    const controller = new AbortController()
    const ended = await run(family, {
      signal: controller.signal,
      onLine: () => {
        controller.abort()
        return false
      },
    })
    expect(ended.killedBecause).toBe('aborted')
    expect(await isGone(Number(ended.stdout))).toBe(true)
  })
  test('but not while it makes progress', async () => {
    const script = 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done'
    const ended = await run(script, { limits: { ...patient, stallMs: 400 }, onLine: () => true })
    expect(ended).toMatchObject({ code: 0, killedBecause: null })
  })
})

/** The system needs a moment to bury a process. */
async function isGone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      process.kill(pid, 0)
    } catch {
      return true
    }
    await Bun.sleep(20)
  }
  return false
}
