import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { SetupError } from './setup-error.ts'

export type SampleVideo = { ffmpeg: string; file: string; seconds?: number }

/** Makes a real MP4 (test card and a 440 Hz tone, 5 s unless told) once, and returns its path. */
export async function sampleVideo({ ffmpeg, file, seconds = 5 }: SampleVideo): Promise<string> {
  if (existsSync(file)) return file
  mkdirSync(dirname(file), { recursive: true })
  const unfinished = `${file}.${process.pid}.mp4`
  const picture = ['-f', 'lavfi', '-i', `testsrc=size=320x240:rate=25:duration=${seconds}`]
  const sound = ['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=44100:duration=${seconds}`]
  // Both encoders are in every build of ffmpeg, also in those without patented codecs.
  const output = ['-c:v', 'mpeg4', '-c:a', 'aac', '-shortest', '-movflags', '+faststart', unfinished]
  const command = [ffmpeg, '-nostdin', '-v', 'error', '-y', ...picture, ...sound, ...output]
  const child = Bun.spawn(command, { stdout: 'ignore', stderr: 'pipe' })
  const [code, errors] = await Promise.all([child.exited, new Response(child.stderr).text()])
  if (code !== 0)
    throw new SetupError(`${ffmpeg} cannot make the sample video: ${errors.trim().split('\n').at(-1)}`)
  renameSync(unfinished, file)
  return file
}
