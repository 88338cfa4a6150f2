import { ensureTool } from './tools.ts'

export type Ffmpeg = { ffmpeg: string; ffprobe: string }

/** Absolute paths of both programs. They work with an empty environment. */
export async function ensureFfmpeg(): Promise<Ffmpeg> {
  const packages = { apt: 'ffmpeg', brew: 'ffmpeg', dnf: 'ffmpeg-free', apk: 'ffmpeg', pacman: 'ffmpeg' }
  const otherwise = 'put ffmpeg and ffprobe on the PATH'
  const ffmpeg = await ensureTool({ programs: ['ffmpeg'], packages, otherwise })
  const ffprobe = await ensureTool({ programs: ['ffprobe'], packages, otherwise })
  return { ffmpeg, ffprobe }
}
