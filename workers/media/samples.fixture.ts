import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Files that people really send, made by the real ffmpeg. */
export interface Samples {
  readonly good: string
}

export async function makeSamples(dir: string): Promise<Samples> {
  await mkdir(dir, { recursive: true })
  const file = (name: string) => join(dir, name)
  const picture = ['-f', 'lavfi', '-i', 'testsrc=size=160x120:rate=10:duration=6']
  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=6']
  await ffmpeg(
    ...picture,
    ...sound,
    '-c:v',
    'mpeg4',
    '-c:a',
    'aac',
    '-movflags',
    '+faststart',
    file('good.mp4'),
  )
  return { good: file('good.mp4') }
}

async function ffmpeg(...words: string[]): Promise<void> {
  const child = Bun.spawn([process.env.FFMPEG ?? 'ffmpeg', '-nostdin', '-v', 'error', '-y', ...words], {
    stderr: 'pipe',
  })
  if ((await child.exited) !== 0) throw new Error(await new Response(child.stderr).text())
}
