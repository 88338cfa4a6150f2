import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { access, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SettingError } from '../../queues/settings.ts'
import { headBytes } from './domain.ts'

/**
 * Where the bytes are. Every name is made of ids of ours; a folder per owner, closed to other users of the machine.
 * A file appears under its name only when it is whole.
 */
export interface MediaFiles {
  /** Makes the folders, and removes what killed processes left in them long ago. Throws if it may not write there. */
  readonly prepare: (now: Date) => Promise<void>
  /** Streams the body to the disk; keeps nothing if there are no bytes or too many. Throws UploadBroken. */
  readonly receive: (
    body: ReadableStream<Uint8Array> | null,
    owned: Owned,
    maxBytes: number,
  ) => Promise<Digest | 'body_too_large' | 'upload_empty'>
  readonly removeUpload: (owned: Owned) => Promise<void>
  readonly uploadPath: (owned: Owned) => string
  /** An empty folder for one run of a conversion; whatever earlier runs of it left behind is gone. */
  readonly beginAttempt: (conversionId: string, run: number) => Promise<string>
  /** Removes the folder of this run; a later one, which may be at work already, keeps its own. */
  readonly endAttempt: (conversionId: string, run: number) => Promise<void>
  /** Gives a finished file its lasting name. Two runs that made the same bytes give the same name. */
  readonly publish: (file: string, owned: Owned) => Promise<Digest>
  readonly conversionPath: (owned: Owned, sha256: string) => string
}

export interface Owned {
  readonly id: string
  readonly ownerId: string
}
export interface Digest {
  readonly bytes: number
  readonly sha256: string
}

/** Longer than any upload or conversion takes. */
const abandonedMs = 6 * 3_600_000

/** The sender went away before the last byte. */
export class UploadBroken extends Error {
  override readonly name = 'UploadBroken'
}

export function createFiles(dir: string): MediaFiles {
  const uploadPath = ({ id, ownerId }: Owned) => join(dir, 'uploads', ownerId, id)
  const attemptsPath = (conversionId: string) => join(dir, 'attempts', conversionId)
  const conversionPath = ({ id, ownerId }: Owned, sha256: string) =>
    join(dir, 'conversions', ownerId, `${id}-${sha256.slice(0, 16)}.mp3`)
  return {
    prepare: async now => {
      for (const folder of ['incoming', 'uploads', 'attempts', 'conversions'])
        await makeWritable(join(dir, folder))
      for (const folder of ['incoming', 'attempts']) await removeAbandoned(join(dir, folder), now)
    },
    uploadPath,
    conversionPath,
    receive: async (body, owned, maxBytes) => {
      const path = uploadPath(owned)
      await makePrivate(join(path, '..'))
      return writeWhole(body, { path, unfinished: join(dir, 'incoming', owned.id), maxBytes })
    },
    removeUpload: owned => rm(uploadPath(owned), { force: true }),
    beginAttempt: async (conversionId, run) => {
      const folder = join(attemptsPath(conversionId), String(run))
      await makePrivate(folder)
      for (const other of await readdir(attemptsPath(conversionId)))
        if (Number(other) < run) await remove(join(attemptsPath(conversionId), other))
      return folder
    },
    endAttempt: async (conversionId, run) => {
      await remove(join(attemptsPath(conversionId), String(run)))
      await rmdir(attemptsPath(conversionId)).catch(() => {}) // another run is at work in it
    },
    publish: async (file, owned) => {
      const digest = await digestOf(file)
      const path = conversionPath(owned, digest.sha256)
      await makePrivate(join(path, '..'))
      await sync(file)
      await rename(file, path)
      return digest
    },
  }
}

/** The first bytes of a file, to tell what it is. */
export async function readHead(path: string): Promise<Uint8Array> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(headBytes), 0, headBytes, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

const remove = (folder: string) => rm(folder, { recursive: true, force: true })

const makePrivate = (folder: string) => mkdir(folder, { recursive: true, mode: 0o700 })

async function makeWritable(folder: string): Promise<void> {
  try {
    await makePrivate(folder)
    await access(folder, constants.W_OK)
  } catch (error) {
    throw new SettingError(
      `setting MEDIA_DIR: cannot write to ${folder} (${(error as { code?: string }).code})`,
    )
  }
}

async function removeAbandoned(folder: string, now: Date): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const touched = await stat(path).catch(() => null) // gone already: it was not abandoned
    if (touched && now.getTime() - touched.mtimeMs > abandonedMs) await remove(path)
  }
}

async function writeWhole(
  body: ReadableStream<Uint8Array> | null,
  { path, unfinished, maxBytes }: { path: string; unfinished: string; maxBytes: number },
): Promise<Digest | 'body_too_large' | 'upload_empty'> {
  const hash = createHash('sha256')
  let bytes = 0
  const file = await open(unfinished, 'wx', 0o600)
  try {
    try {
      for await (const chunk of body ? arriving(body) : []) {
        bytes += chunk.byteLength
        if (bytes > maxBytes) return 'body_too_large'
        hash.update(chunk)
        await file.appendFile(chunk)
      }
      if (bytes === 0) return 'upload_empty'
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(unfinished, path)
    return { bytes, sha256: hash.digest('hex') }
  } finally {
    await rm(unfinished, { force: true })
  }
}

async function* arriving(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (cause) {
    throw new UploadBroken('the upload ended before it was whole', { cause })
  }
}

async function digestOf(path: string): Promise<Digest> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return { bytes: (await stat(path)).size, sha256: hash.digest('hex') }
}

async function sync(path: string): Promise<void> {
  const file = await open(path)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
