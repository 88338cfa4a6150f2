import { describe, expect, test } from 'bun:test'
import {
  judgeComplaint,
  judgeOutput,
  judgeProbe,
  readProbe,
  readProgressMs,
  sniff,
  wallClockMs,
} from './domain.ts'

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(
    parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  )

describe('the first bytes tell what a file is', () => {
  test.each([
    ['mov', bytes([0, 0, 0, 0x20], 'ftypisom')],
    ['mov', bytes([0, 0, 0, 8], 'wide')],
    ['matroska', bytes([0x1a, 0x45, 0xdf, 0xa3, 0x9f])],
    ['avi', bytes('RIFF', [1, 2, 3, 4], 'AVI LIST')],
    ['wav', bytes('RIFF', [1, 2, 3, 4], 'WAVEfmt ')],
    ['flv', bytes('FLV', [1, 5])],
    ['ogg', bytes('OggS', [0])],
    ['flac', bytes('fLaC', [0])],
    ['asf', bytes([0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11, 0xa6])],
    ['mp3', bytes('ID3', [4, 0])],
    ['mp3', bytes([0xff, 0xfb, 0x90, 0x64])],
    ['mpegts', bytes('G', new Array(187).fill(0), 'G', new Array(187).fill(0), 'G')],
  ] as const)('%s', (container, head) => {
    expect(sniff(head)).toBe(container)
  })
  test.each([
    ['nothing', ''],
    ['text', 'This is not a video.'],
    ['an HLS playlist', '#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n'],
    ['an ffconcat script', 'ffconcat version 1.0\nfile /etc/passwd\n'],
    ['a DASH manifest', '<?xml version="1.0"?><MPD></MPD>'],
    ['a WebP picture', 'RIFF\0\0\0\0WEBPVP8 '],
    ['a JPEG picture', '\xff\xd8\xff\xe0\0\x10JFIF'],
    ['text that begins like a transport stream', `G${'.'.repeat(400)}`],
    ['a playlist after a byte order mark', '\xef\xbb\xbf#EXTM3U\n'],
  ])('null for %s', (_, head) => {
    expect(sniff(bytes(head))).toBeNull()
  })
})

describe('what ffprobe says', () => {
  const video = { codec_type: 'video', duration: '10.0' }
  test('the length is that of the sound, where a stream has one of its own', () => {
    const audio = { codec_type: 'audio', duration: '5.5' }
    expect(readProbe({ streams: [video, audio], format: { duration: '10.0' } })).toEqual({
      hasAudio: true,
      durationMs: 5_500,
    })
  })
  test('Matroska writes it into a tag', () => {
    const audio = { codec_type: 'audio', tags: { DURATION: '01:02:03.500000000' } }
    expect(readProbe({ streams: [audio], format: { duration: '9999' } }).durationMs).toBe(3_723_500)
  })
  test('else it is that of the file, or not known', () => {
    const audio = { codec_type: 'audio', duration: 'N/A' }
    expect(readProbe({ streams: [audio], format: { duration: '7.25' } }).durationMs).toBe(7_250)
    expect(readProbe({ streams: [audio], format: {} }).durationMs).toBeNull()
  })
  test('without sound, or too long, a file is refused', () => {
    expect(judgeProbe(readProbe({ streams: [video] }), 60_000)?.code).toBe('no_audio_stream')
    expect(judgeProbe({ hasAudio: true, durationMs: 60_001 }, 60_000)).toEqual({
      kind: 'refused',
      code: 'too_long',
      detail: { durationMs: 60_001, maxMs: 60_000 },
    })
    expect(judgeProbe({ hasAudio: true, durationMs: 60_000 }, 60_000)).toBeNull()
    expect(judgeProbe({ hasAudio: true, durationMs: null }, 60_000)).toBeNull()
  })
})

describe('what came out is compared with what was promised', () => {
  const promised = { promisedMs: 20_000, container: 'mov', maxMs: 60_000 } as const
  test('a second less is a matter of frames, more than that is a file that ends too soon', () => {
    expect(judgeOutput(19_000, promised)).toBeNull()
    expect(judgeOutput(18_999, promised)?.code).toBe('corrupt')
  })
  test('of a long recording two in a hundred may be missing', () => {
    const long = { ...promised, promisedMs: 100_000, maxMs: 200_000 }
    expect(judgeOutput(98_000, long)).toBeNull()
    expect(judgeOutput(97_999, long)?.code).toBe('corrupt')
  })
  test('nothing is compared where the length was a guess', () => {
    expect(judgeOutput(1_000, { ...promised, container: 'mp3' })).toBeNull()
    expect(judgeOutput(1_000, { ...promised, promisedMs: null })).toBeNull()
  })
  test('more than is allowed is too long, whatever was promised', () => {
    expect(judgeOutput(60_001, { ...promised, promisedMs: null })?.code).toBe('too_long')
  })
})

describe('what ffmpeg complains of', () => {
  test.each([
    ['[mov @ 0x1] moov atom not found', 'corrupt'],
    ['in.mp4: Invalid data found when processing input', 'corrupt'],
    ['Decoder (codec none) not found for input stream #0:0', 'unsupported_format'],
  ] as const)('%s: %s', (stderr, code) => {
    expect(judgeComplaint(stderr)?.code).toBe(code)
  })
  test.each([
    'av_interleaved_write_frame(): No space left on device',
    'Unknown encoder libmp3lame',
    'Cannot allocate memory',
  ])('%s: not the fault of the file', stderr => {
    expect(judgeComplaint(stderr)).toBeNull()
  })
})

test('progress is read in milliseconds, and only from its own line', () => {
  expect(readProgressMs('out_time_us=1500000')).toBe(1_500)
  expect(readProgressMs('out_time_us=N/A')).toBeNull()
  expect(readProgressMs('out_time_us=-9223372036854775807')).toBeNull()
  expect(readProgressMs('total_size=1500000')).toBeNull()
})

test('a conversion gets the time that the recording plays, and a minute; never the hour of its command', () => {
  expect(wallClockMs(0)).toBe(60_000)
  expect(wallClockMs(600_000)).toBe(660_000)
  expect(wallClockMs(43_200_000)).toBeLessThan(3_600_000)
})
