import { converted, type media } from '../../queues/media.ts'
import { done, emit, type Handlers, rejected } from '../../queues/outcome.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import type { MediaConfig } from './config.ts'
import type { MediaFiles } from './files.ts'
import { findUpload, insertConversion } from './store.ts'
import { transcode } from './transcode.ts'

export const handlers = (
  { sql }: Pick<ServiceDeps, 'sql'>,
  config: MediaConfig,
  files: MediaFiles,
): Handlers<typeof media> => ({
  'media.convert': async ({ id, input, actor, run, now, signal }) => {
    const upload = actor && (await findUpload(sql, input.uploadId, actor.id))
    if (!upload) return rejected('upload_not_found')
    const { ownerId } = upload
    const folder = await files.beginAttempt(id, run)
    try {
      const made = await transcode(config, {
        input: files.uploadPath(upload),
        folder,
        preset: input.preset,
        signal,
      })
      if (made.kind === 'refused') return rejected(made.code, made.detail)
      const { durationMs } = made
      const digest = await files.publish(made.file, { id, ownerId })
      return async tx => {
        await insertConversion(tx, { id, ownerId, ...input, durationMs, ...digest, createdAt: now })
        return done(
          { conversionId: id, durationMs, ...digest },
          { emit: [emit(converted, { conversionId: id, ownerId })] },
        )
      }
    } finally {
      await files.endAttempt(id, run)
    }
  },
})
