import type { RefusalOf } from '../../queues/command.ts'
import type { convert } from '../../queues/media.ts'

/** Names of ffmpeg's demuxers that are let near a file; playlists and scripts, which name other files, are not. */
export const demuxers = 'mov,matroska,avi,flv,mpegts,mp3,wav,ogg,asf,flac'

export type Container = 'mov' | 'matroska' | 'avi' | 'flv' | 'mpegts' | 'mp3' | 'wav' | 'ogg' | 'asf' | 'flac'

/** Enough of a file's beginning to tell what it is. */
export const headBytes = 1_024

/** What a file is by its first bytes, whatever it is called; null if it is nothing that is converted here. */
export function sniff(head: Uint8Array): Container | null {
  const text = (from: number, to: number) => String.fromCharCode(...head.subarray(from, to))
  const bytes = (...expected: number[]) => expected.every((byte, at) => head[at] === byte)
  if (movBoxes.has(text(4, 8))) return 'mov'
  if (bytes(0x1a, 0x45, 0xdf, 0xa3)) return 'matroska'
  if (text(0, 4) === 'RIFF') return text(8, 11) === 'AVI' ? 'avi' : text(8, 12) === 'WAVE' ? 'wav' : null
  if (text(0, 3) === 'FLV') return 'flv'
  if (text(0, 4) === 'OggS') return 'ogg'
  if (text(0, 4) === 'fLaC') return 'flac'
  if (bytes(0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11)) return 'asf'
  if (text(0, 3) === 'ID3' || isMp3Frame(head)) return 'mp3'
  if ([0, 188, 376].every(at => head[at] === 0x47)) return 'mpegts'
  return null
}

const movBoxes = new Set(['ftyp', 'moov', 'mdat', 'free', 'skip', 'wide', 'pnot'])

/** The eleven sync bits, layer III, and no reserved value. */
const isMp3Frame = ([first = 0, second = 0, third = 0]: Uint8Array): boolean =>
  first === 0xff &&
  (second & 0xe0) === 0xe0 &&
  (second & 0x18) !== 0x08 &&
  (second & 0x06) === 0x02 &&
  (third & 0xf0) !== 0xf0 &&
  (third & 0x0c) !== 0x0c

/** A file that cannot be converted, and why. */
export interface Refusal {
  readonly kind: 'refused'
  readonly code: Exclude<RefusalOf<typeof convert>, 'upload_not_found'>
  readonly detail: { readonly durationMs: number; readonly maxMs: number } | null
}
export const refuse = (code: Refusal['code'], detail: Refusal['detail'] = null): Refusal => ({
  kind: 'refused',
  code,
  detail,
})

/** What ffprobe tells of a file. */
export interface Probe {
  readonly hasAudio: boolean
  /** Length of the sound that will be taken, as the file itself says; null if it does not say. */
  readonly durationMs: number | null
}

export interface ProbeReport {
  readonly format?: { readonly duration?: string }
  readonly streams?: readonly {
    readonly codec_type?: string
    readonly duration?: string
    readonly tags?: { readonly DURATION?: string }
  }[]
}

export function readProbe({ format, streams = [] }: ProbeReport): Probe {
  const audio = streams.find(stream => stream.codec_type === 'audio')
  const seconds =
    toSeconds(audio?.duration) ?? clockToSeconds(audio?.tags?.DURATION) ?? toSeconds(format?.duration)
  return { hasAudio: audio !== undefined, durationMs: seconds === null ? null : Math.round(seconds * 1_000) }
}

function toSeconds(text: string | undefined): number | null {
  const seconds = Number(text)
  return text === undefined || !Number.isFinite(seconds) || seconds < 0 ? null : seconds
}

/** "00:01:02.500000000" is 62.5. */
function clockToSeconds(text: string | undefined): number | null {
  const [, hours, minutes, seconds] = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text ?? '') ?? []
  return seconds === undefined ? null : Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)
}

/** Null if the file may be converted. */
export function judgeProbe({ hasAudio, durationMs }: Probe, maxMs: number): Refusal | null {
  if (!hasAudio) return refuse('no_audio_stream')
  return durationMs !== null && durationMs > maxMs ? refuse('too_long', { durationMs, maxMs }) : null
}

/** ffmpeg ends happily at the end of a truncated file: its output is then shorter than the file promised. */
export function judgeOutput(
  outputMs: number,
  { promisedMs, container, maxMs }: { promisedMs: number | null; container: Container; maxMs: number },
): Refusal | null {
  if (outputMs > maxMs) return refuse('too_long', { durationMs: outputMs, maxMs })
  if (promisedMs === null || guessed.has(container)) return null
  return outputMs + Math.max(1_000, promisedMs * 0.02) < promisedMs ? refuse('corrupt') : null
}

/** They have no table of contents: their length is worked out from size and bit rate. */
const guessed: ReadonlySet<Container> = new Set<Container>(['mp3', 'mpegts'])

/** Why ffmpeg or ffprobe could not read its input; null if the fault is not the file's. */
export function judgeComplaint(stderr: string): Refusal | null {
  if (
    /Decoder .* not found|Unknown decoder|could not find codec parameters|not currently supported/i.test(
      stderr,
    )
  )
    return refuse('unsupported_format')
  if (
    /Invalid data found|moov atom not found|End of file|Truncating packet|Error while decoding|partial file/i.test(
      stderr,
    )
  )
    return refuse('corrupt')
  return null
}

/** How far ffmpeg has come, from a line of its `-progress`; null if the line says something else. */
export function readProgressMs(line: string): number | null {
  const [, microseconds] = /^out_time_us=(\d+)$/.exec(line) ?? []
  return microseconds === undefined ? null : Math.round(Number(microseconds) / 1_000)
}

/** The wall clock that a conversion gets: no slower than the recording plays, and a minute to begin with. */
export const wallClockMs = (durationMs: number): number => Math.min(60_000 + durationMs, 55 * 60_000)

/** Bytes of the longest mp3 that is made here, at 320 kbit/s, with some room for its headers. */
export const outputMaxBytes = (durationMaxMs: number): number =>
  Math.ceil((durationMaxMs / 1_000) * 40_000) + 2 ** 20
