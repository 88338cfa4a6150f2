import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { ffmpegPath } from './samples.fixture.ts'

/**
 * Makes an ffmpeg that begins its output and stands still the first time it is started, having told its process id
 * in the file `pid` of that folder; from then on it is the real one. Answers its path.
 */
export async function stuckFfmpeg(dir: string): Promise<string> {
  const path = join(dir, 'ffmpeg.sh')
  const pid = join(dir, 'pid')
  await Bun.write(
    path,
    `#!/bin/sh
if [ -e ${pid} ]; then exec ${ffmpegPath} "$@"; fi
echo begun > sound.mp3
echo $$ > ${pid}.new && mv ${pid}.new ${pid}
exec sleep 1000
`,
  )
  await chmod(path, 0o700)
  return path
}
