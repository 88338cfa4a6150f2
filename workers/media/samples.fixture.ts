import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

const names = [
  'good.mp4',
  'good.mkv',
  'good.avi',
  'good.ts',
  'good.wav',
  'good.mp3',
  'good.flac',
  'good.ogg',
  'surround.mkv',
  'short-sound.mkv',
  'silent.mp4',
  'truncated.mp4',
  'truncated-before-its-index.mp4',
  'truncated.mkv',
  'noise.mp4',
  'text.mp4',
  'playlist.mp4',
  'script.mp4',
  'long.mp3',
  'long-without-length.mkv',
] as const
/** Paths of files that people really send, made by the real ffmpeg; the good ones are six seconds long. */
export type Samples = Readonly<Record<(typeof names)[number], string>>

export async function makeSamples(dir: string): Promise<Samples> {
  await mkdir(dir, { recursive: true })
  const files = Object.fromEntries(names.map(name => [name, join(dir, name)])) as Samples
  const picture = ['-f', 'lavfi', '-i', 'testsrc=size=160x120:rate=10:duration=6']
  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=6']
  const good = ['-i', files['good.mp4']]

  await ffmpeg(
    ...picture,
    ...sound,
    '-c:v',
    'mpeg4',
    '-c:a',
    'aac',
    '-movflags',
    '+faststart',
    files['good.mp4'],
  )
  await ffmpeg(...good, '-c', 'copy', files['good.mkv'])
  await ffmpeg(...good, '-c:v', 'copy', '-c:a', 'mp2', files['good.avi'])
  await ffmpeg(...good, '-c:v', 'copy', '-c:a', 'mp2', '-f', 'mpegts', files['good.ts'])
  for (const name of ['good.wav', 'good.mp3', 'good.flac'] as const) await ffmpeg(...good, '-vn', files[name])
  await ffmpeg(...good, '-vn', '-c:a', 'flac', '-f', 'ogg', files['good.ogg'])
  await ffmpeg(...good, '-vn', '-ac', '6', '-ar', '96000', '-c:a', 'flac', files['surround.mkv'])
  await ffmpeg(...picture, '-f', 'lavfi', '-i', 'sine=duration=2', '-c:v', 'mpeg4', files['short-sound.mkv'])
  await ffmpeg(...good, '-an', '-c', 'copy', files['silent.mp4'])
  await ffmpeg('-f', 'lavfi', '-i', 'sine=duration=70', '-b:a', '32k', files['long.mp3'])
  // As a browser records: the length is not known when the header is written, and the file cannot be rewound.
  const live = await ffmpeg(
    '-f',
    'lavfi',
    '-i',
    'sine=duration=70',
    '-c:a',
    'libmp3lame',
    '-f',
    'matroska',
    'pipe:1',
  )
  await Bun.write(files['long-without-length.mkv'], live)

  await cutInHalf(files['good.mp4'], files['truncated.mp4'])
  await cutInHalf(files['good.mkv'], files['truncated.mkv'])
  const indexLast = join(dir, 'index-last.mp4')
  await ffmpeg(...good, '-c', 'copy', indexLast)
  await cutInHalf(indexLast, files['truncated-before-its-index.mp4'])
  await Bun.write(files['noise.mp4'], Buffer.concat([Buffer.from('\0\0\0\x18ftypmp42'), noise(50_000)]))
  await Bun.write(files['text.mp4'], 'This is not a video.\n'.repeat(100))
  await Bun.write(files['playlist.mp4'], playlistOf(files['good.mp3']))
  await Bun.write(files['script.mp4'], `ffconcat version 1.0\nfile ${files['good.mp3']}\n`)
  return files
}

export const ffmpegPath = process.env.FFMPEG ?? Bun.which('ffmpeg') ?? 'ffmpeg'

async function ffmpeg(...words: string[]): Promise<ArrayBuffer> {
  const child = Bun.spawn([ffmpegPath, '-nostdin', '-v', 'error', '-y', ...words], { stderr: 'pipe' })
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).arrayBuffer(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`${words.join(' ')}: ${errors}`)
  return output
}

async function cutInHalf(from: string, to: string): Promise<void> {
  const file = Bun.file(from)
  await Bun.write(to, await file.slice(0, Math.floor(file.size / 2)).bytes())
}

/** HLS: each line that is no comment names a file to play. */
const playlistOf = (file: string) =>
  `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:6,\nfile://${file}\n#EXT-X-ENDLIST\n`

/** The same in every run. */
function noise(bytes: number): Uint8Array {
  const made = new Uint8Array(bytes)
  let state = 1
  for (let at = 0; at < bytes; at++) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    made[at] = state >> 16
  }
  return made
}
