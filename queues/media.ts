import { type Static, Type } from '@sinclair/typebox'
import { command, event, service } from './command.ts'
import { retry } from './retry.ts'
import { closed, Id, Instant, oneOf } from './schemas.ts'

const Bytes = Type.Integer({ minimum: 0, description: 'Bytes.' })
const Milliseconds = Type.Integer({ minimum: 0, description: 'Milliseconds.' })
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the bytes, in hex.' })
export const presets = ['mp3-128', 'mp3-192', 'mp3-320'] as const
const Preset = oneOf(presets, 'Constant bit rate of the mp3, in kbit/s.')

export const Upload = Type.Object(
  { id: Id, bytes: Bytes, sha256: Sha256, createdAt: Instant },
  { ...closed, $id: 'Upload' },
)
export type Upload = Static<typeof Upload>

export const Conversion = Type.Object(
  {
    id: Id,
    uploadId: Id,
    preset: Preset,
    durationMs: Milliseconds,
    bytes: Bytes,
    sha256: Sha256,
    createdAt: Instant,
  },
  { ...closed, $id: 'Conversion' },
)
export type Conversion = Static<typeof Conversion>

export const convert = command('media.convert', {
  summary: 'Take the sound of an uploaded video as an mp3.',
  http: { method: 'POST', path: '/v1/media/conversions', scope: 'media:write' },
  input: Type.Object({ uploadId: Id, preset: Preset }, closed),
  output: Type.Object({ conversionId: Id, durationMs: Milliseconds, bytes: Bytes, sha256: Sha256 }, closed),
  refusals: {
    upload_not_found: { status: 404, title: 'There is no such upload.' },
    unsupported_format: { status: 422, title: 'The file is not a video or sound that can be read.' },
    no_audio_stream: { status: 422, title: 'The video has no sound.' },
    too_long: {
      status: 422,
      title: 'The recording is too long.',
      detail: Type.Object({ durationMs: Milliseconds, maxMs: Milliseconds }, closed),
    },
    corrupt: { status: 422, title: 'The file ends before its own table of contents says so.' },
  },
  retry: retry.costly,
  timeoutMs: 3_600_000,
})

export const converted = event('media.converted', {
  summary: 'An mp3 is ready.',
  payload: Type.Object({ conversionId: Id, ownerId: Id }, closed),
})

export const media = service('media', {
  summary: 'Uploads, and what is made of them.',
  commands: [convert],
  events: [converted],
  concurrency: 2,
  lockMs: 120_000,
})
