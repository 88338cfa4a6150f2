import type { Upload } from '../../queues/media.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import type { MediaConfig } from './config.ts'
import { type MediaFiles, UploadBroken } from './files.ts'
import { insertUpload } from './store.ts'

export type UploadFault = 'body_too_large' | 'upload_empty' | 'upload_broken'

/** Takes the bytes of a request, counted while they arrive. After a fault nothing is kept of them. */
export async function receiveUpload(
  { sql, newId, now }: ServiceDeps,
  { uploadMaxBytes }: MediaConfig,
  files: MediaFiles,
  { headers, body }: Request,
  ownerId: string,
): Promise<Upload | UploadFault> {
  if (Number(headers.get('content-length') ?? 0) > uploadMaxBytes) return 'body_too_large'
  const owned = { id: newId(), ownerId }
  const digest = await files.receive(body, owned, uploadMaxBytes).catch(error => {
    if (error instanceof UploadBroken) return 'upload_broken' as const
    throw error
  })
  if (typeof digest === 'string') return digest
  const createdAt = now()
  try {
    await insertUpload(sql, { ...owned, ...digest, createdAt })
  } catch (error) {
    await files.removeUpload(owned)
    throw error
  }
  return { id: owned.id, ...digest, createdAt: createdAt.toISOString() }
}
