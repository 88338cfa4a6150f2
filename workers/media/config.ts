import { resolve } from 'node:path'
import { Type } from '@sinclair/typebox'
import { type Env, readSettings, SettingError } from '../../queues/settings.ts'

const Settings = Type.Object({
  MEDIA_DIR: Type.String({ default: '.waybill/media', description: 'folder of uploads and conversions' }),
  FFMPEG: Type.String({ default: 'ffmpeg', description: 'program, by path or by name' }),
  FFPROBE: Type.String({ default: 'ffprobe', description: 'program, by path or by name' }),
  UPLOAD_MAX_BYTES: Type.Integer({ minimum: 1, default: 2 ** 30, description: 'longest upload, bytes' }),
  MEDIA_DURATION_MAX_MS: Type.Integer({
    minimum: 1_000,
    default: 12 * 3_600_000,
    description: 'longest recording that is converted, milliseconds',
  }),
  MEDIA_STALL_MS: Type.Integer({
    minimum: 100,
    default: 30_000,
    description: 'a conversion without progress for so long is ended, milliseconds',
  }),
})

/** Programs by absolute path, for they are started with an empty environment. */
export interface Tools {
  readonly ffmpeg: string
  readonly ffprobe: string
  /** Limits of memory, time, files; null where the system has no such program. */
  readonly prlimit: string | null
  /** Ends a child with its parent; null where the system has no such program. */
  readonly setpriv: string | null
}

export interface MediaConfig {
  readonly dir: string
  readonly tools: Tools
  readonly uploadMaxBytes: number
  readonly durationMaxMs: number
  readonly stallMs: number
}

/** Throws a SettingError that names what is missing, be it a setting or a program. */
export function readConfig(env: Env): MediaConfig {
  const settings = readSettings(Settings, env)
  if (env.NODE_ENV === 'production' && !env.MEDIA_DIR)
    throw new SettingError('setting MEDIA_DIR: must be set in production (folder of uploads and conversions)')
  return Object.freeze({
    dir: resolve(settings.MEDIA_DIR),
    tools: Object.freeze({
      ffmpeg: program('FFMPEG', settings.FFMPEG),
      ffprobe: program('FFPROBE', settings.FFPROBE),
      prlimit: Bun.which('prlimit'),
      setpriv: Bun.which('setpriv'),
    }),
    uploadMaxBytes: settings.UPLOAD_MAX_BYTES,
    durationMaxMs: settings.MEDIA_DURATION_MAX_MS,
    stallMs: settings.MEDIA_STALL_MS,
  })
}

function program(setting: string, name: string): string {
  const path = Bun.which(name)
  if (!path)
    throw new SettingError(
      `setting ${setting}: there is no program ${name} (install ffmpeg, or give its path)`,
    )
  return resolve(path)
}
