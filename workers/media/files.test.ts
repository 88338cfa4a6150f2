import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdir, mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFiles } from './files.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'waybill-files-'))
})
afterAll(() => rm(dir, { recursive: true }))

const hours = 3_600_000
const now = new Date()
const age = (path: string, ms: number) => {
  const then = new Date(now.getTime() - ms)
  return utimes(path, then, then)
}

describe('at the start', () => {
  test('what killed processes left long ago is removed, and what may be at work is kept', async () => {
    const files = createFiles(dir)
    await files.prepare(now)
    for (const name of ['old', 'new']) {
      await Bun.write(join(dir, 'incoming', name), 'half an upload')
      await Bun.write(join(dir, 'attempts', name, '1', 'sound.mp3'), 'half an mp3')
    }
    await age(join(dir, 'incoming', 'old'), 7 * hours)
    await age(join(dir, 'attempts', 'old'), 7 * hours)
    await age(join(dir, 'incoming', 'new'), hours)
    await files.prepare(now)
    expect(await readdir(join(dir, 'incoming'))).toEqual(['new'])
    expect(await readdir(join(dir, 'attempts'))).toEqual(['new'])
  })
  test('the folders are closed to other users of the machine', async () => {
    await createFiles(dir).prepare(now)
    for (const folder of ['incoming', 'uploads', 'attempts', 'conversions'])
      expect((await stat(join(dir, folder))).mode & 0o077).toBe(0)
  })
  test('a folder that cannot be written stops the start by the name of the setting', async () => {
    await Bun.write(join(dir, 'file'), '')
    expect(createFiles(join(dir, 'file')).prepare(now)).rejects.toThrow(/^setting MEDIA_DIR: /)
  })
})

describe('a run of a conversion', () => {
  const names = async (id: string) => (await readdir(join(dir, 'attempts', id)).catch(() => [])).sort()

  test('removes what earlier runs left, and at its end only its own', async () => {
    const files = createFiles(dir)
    await files.beginAttempt('a', 1)
    await files.beginAttempt('a', 2)
    expect(await names('a')).toEqual(['2'])
    await files.endAttempt('a', 1)
    expect(await names('a')).toEqual(['2'])
    await files.endAttempt('a', 2)
    expect(await readdir(join(dir, 'attempts'))).not.toContain('a')
  })
  test('that wakes up late leaves the folder of a later one alone', async () => {
    const files = createFiles(dir)
    await mkdir(join(dir, 'attempts', 'b', '3'), { recursive: true })
    await files.beginAttempt('b', 2)
    expect(await names('b')).toEqual(['2', '3'])
  })
})
