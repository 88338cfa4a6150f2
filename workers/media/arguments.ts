import type { Conversion } from '../../queues/media.ts'
import { demuxers, outputMaxBytes } from './domain.ts'

/** Fixed words and paths that we made ourselves: nothing a caller wrote gets here. */
const guarded = (input: string) => [
  '-protocol_whitelist',
  'file',
  '-format_whitelist',
  demuxers,
  '-i',
  `file:${input}`,
]

export const probeArguments = (input: string): readonly string[] => [
  '-hide_banner',
  '-v',
  'error',
  '-show_entries',
  'format=duration:stream=codec_type,duration:stream_tags=DURATION',
  '-of',
  'json',
  ...guarded(input),
]

const bitRates: Readonly<Record<Conversion['preset'], string>> = {
  'mp3-128': '128k',
  'mp3-192': '192k',
  'mp3-320': '320k',
}

export const convertArguments = (
  input: string,
  output: string,
  { preset, durationMaxMs }: { preset: Conversion['preset']; durationMaxMs: number },
): readonly string[] => [
  '-nostdin',
  '-hide_banner',
  '-nostats',
  ...['-v', 'error', '-progress', 'pipe:1'],
  ...guarded(input),
  ...['-map', '0:a:0', '-vn', '-sn', '-dn', '-map_metadata', '-1', '-map_chapters', '-1'],
  // One second more than is allowed, so that a recording that lied about its length is found out.
  ...['-t', String(Math.ceil(durationMaxMs / 1_000) + 1), '-fs', String(outputMaxBytes(durationMaxMs))],
  // The same input gives the same bytes.
  ...['-c:a', 'libmp3lame', '-b:a', bitRates[preset], '-flags:a', '+bitexact', '-fflags', '+bitexact'],
  ...['-f', 'mp3', `file:${output}`],
]
