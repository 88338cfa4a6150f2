import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { v7 as newId } from 'uuid'
import { convert } from '../../queues/media.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { catalogService } from '../catalog/index.ts'
import { readConfig } from './config.ts'
import { createFiles } from './files.ts'
import { makeSamples } from './samples.fixture.ts'
import { stuckFfmpeg } from './stuck-ffmpeg.fixture.ts'

let dir: string
let kernel: TestKernel
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'waybill-media-'))
  // The kernel of this test works another service; conversions are made by processes that can be killed.
  kernel = await testKernel({ services: [catalogService] })
})
afterAll(async () => {
  await kernel.stop()
  await rm(dir, { recursive: true })
})

test('SIGKILL in the middle of a conversion: ffmpeg ends as well, another worker makes the mp3, and nothing is left of the first', async () => {
  const actor = { id: newId(), scopes: [] }
  const uploadId = await givenUpload(actor.id)
  const first = startWorker(await stuckFfmpeg(dir))
  const id = await kernel.send(convert, { uploadId, preset: 'mp3-128' }, { actor })
  await until(() => Bun.file(join(dir, 'pid')).exists())
  first.kill('SIGKILL')
  await first.exited
  expect(await filesIn('attempts')).toEqual(['sound.mp3'])
  if (readConfig(process.env).tools.setpriv) await until(ffmpegIsGone)

  await expireLock(id)
  const second = startWorker(await stuckFfmpeg(dir))
  await until(
    async () =>
      (await kernel.sql`select from journal.commands where id = ${id} and settled_at is not null`).length ===
      1,
  )
  const [row] = await kernel.sql`select state, crashes from journal.commands where id = ${id}`
  expect(row).toEqual({ state: 'succeeded', crashes: 1 })
  expect(await filesIn('attempts')).toEqual([])
  const [conversion] = await kernel.sql<
    { sha256: string }[]
  >`select sha256 from media.conversions where id = ${id}`
  expect(await filesIn('conversions')).toEqual([`${id}-${conversion?.sha256.slice(0, 16)}.mp3`])
  second.kill('SIGTERM')
  expect(await second.exited).toBe(0)
})

async function givenUpload(ownerId: string): Promise<string> {
  const owned = { id: newId(), ownerId }
  const video = (await makeSamples(join(dir, 'samples')))['good.mp4']
  await Bun.write(createFiles(join(dir, 'media')).uploadPath(owned), Bun.file(video))
  await kernel.sql`insert into media.uploads values (${owned.id}, ${ownerId}, 1, ${'0'.repeat(64)}, now())`
  return owned.id
}

function startWorker(ffmpeg: string) {
  return Bun.spawn([process.execPath, join(import.meta.dir, 'index.ts')], {
    env: {
      ...process.env,
      DATABASE_URL: kernel.database.url,
      QUEUE_PREFIX: kernel.redis.prefix,
      MEDIA_DIR: join(dir, 'media'),
      FFMPEG: ffmpeg,
      PORT: '0',
      HOST: '127.0.0.1',
      LOG_LEVEL: process.env.TEST_LOG ?? 'silent',
    },
    stdout: 'inherit',
    stderr: 'inherit',
  })
}

/** As if its two minutes were over. */
async function expireLock(id: string): Promise<void> {
  const redis = new Redis(kernel.redis.url)
  expect(await redis.del(`${kernel.redis.prefix}:media:${id}:lock`)).toBe(1)
  redis.disconnect()
}

async function ffmpegIsGone(): Promise<boolean> {
  const pid = Number(await Bun.file(join(dir, 'pid')).text())
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(join(dir, 'media', folder), { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => entry.name)
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(20)
}
