import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { v7 as newId } from 'uuid'
import { convert } from '../../queues/media.ts'
import type { Env } from '../../queues/settings.ts'
import type { CommandView } from '../../queues/story.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { mediaService } from './index.ts'

export interface Owner {
  readonly id: string
  readonly scopes: readonly never[]
}
export const newOwner = (): Owner => ({ id: newId(), scopes: [] })

/** The service with a folder of its own; recordings of a minute at most, uploads of a mebibyte. */
export interface TestMedia {
  readonly kernel: TestKernel
  readonly dir: string
  readonly env: Env
  readonly ask: (path: string, owner: Owner, init?: RequestInit) => Promise<Response>
  /** Uploads a file and answers the id of the upload. */
  readonly upload: (file: string, owner: Owner) => Promise<string>
  readonly convert: (file: string, owner?: Owner) => Promise<CommandView>
  /** Names of the files under a folder of MEDIA_DIR. */
  readonly filesIn: (folder: 'incoming' | 'uploads' | 'attempts' | 'conversions') => Promise<string[]>
  readonly stop: () => Promise<void>
}

export async function testMedia(settings: Env = {}): Promise<TestMedia> {
  const dir = await mkdtemp(join(tmpdir(), 'waybill-media-'))
  const env = {
    ...tools(),
    MEDIA_DIR: join(dir, 'media'),
    MEDIA_DURATION_MAX_MS: '60000',
    UPLOAD_MAX_BYTES: String(2 ** 20),
    ...settings,
  }
  const kernel = await testKernel({ services: [mediaService], env })
  const ask: TestMedia['ask'] = (path, { id }, init = {}) =>
    kernel.services.routesOf('media').handle(
      new Request(`http://media.test${path}`, {
        ...init,
        headers: { ...(init.headers as Record<string, string>), 'x-waybill-actor': id },
      }),
    )
  const upload: TestMedia['upload'] = async (file, owner) => {
    const response = await ask('/uploads', owner, { method: 'POST', body: Bun.file(file).stream() })
    return ((await response.json()) as { id: string }).id
  }
  return {
    kernel,
    dir,
    env,
    ask,
    upload,
    convert: async (file, actor = newOwner()) =>
      kernel.run(convert, { uploadId: await upload(file, actor), preset: 'mp3-128' }, { actor }),
    filesIn: async folder => {
      const path = join(dir, 'media', folder)
      const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => [])
      return entries
        .filter(entry => entry.isFile())
        .map(entry => entry.name)
        .sort()
    },
    stop: async () => {
      await kernel.stop()
      await rm(dir, { recursive: true })
    },
  }
}

export const sha256 = (bytes: ArrayBuffer | Uint8Array): string =>
  createHash('sha256')
    .update(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes))
    .digest('hex')

function tools(): Env {
  const { FFMPEG, FFPROBE } = process.env
  return { ...(FFMPEG && { FFMPEG }), ...(FFPROBE && { FFPROBE }) }
}
