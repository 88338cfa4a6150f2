import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { v7 as newId } from 'uuid'
import { convert } from '../../queues/media.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { mediaService } from './index.ts'
import { makeSamples, type Samples } from './samples.fixture.ts'

let dir: string
let samples: Samples
let kernel: TestKernel
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'waybill-media-'))
  samples = await makeSamples(join(dir, 'samples'))
  kernel = await testKernel({
    services: [mediaService],
    env: { ...process.env, MEDIA_DIR: join(dir, 'media'), MEDIA_DURATION_MAX_MS: '60000' },
  })
})
afterAll(async () => {
  await kernel.stop()
  await rm(dir, { recursive: true })
})

const owner = () => ({ id: newId(), scopes: [] })
type Owner = ReturnType<typeof owner>

async function upload(file: string, { id }: Owner): Promise<string> {
  const request = new Request('http://media.test/uploads', {
    method: 'POST',
    headers: { 'x-waybill-actor': id },
    body: Bun.file(file).stream(),
  })
  const response = await kernel.services.routesOf('media').handle(request)
  expect(response.status).toBe(201)
  return ((await response.json()) as { id: string }).id
}

async function convertFile(file: string, actor = owner()) {
  return kernel.run(convert, { uploadId: await upload(file, actor), preset: 'mp3-128' }, { actor })
}

const filesUnder = async (folder: string) =>
  (await readdir(join(dir, 'media', folder), { recursive: true, withFileTypes: true }).catch(() => []))
    .filter(entry => entry.isFile())
    .map(entry => entry.name)

describe('a video with sound', () => {
  test('becomes an mp3 of the same length, and nothing else is left of the work', async () => {
    const converted = await convertFile(samples.good)
    expect(converted).toMatchObject({ state: 'succeeded' })
    expect(await filesUnder('attempts')).toEqual([])
  })
})
