import { join } from 'node:path'
import type { SentRequest } from '../../client/story-text.ts'
import type { StoryBody } from '../../edge/command-view.ts'
import type { Conversion, Upload } from '../../queues/media.ts'
import { sampleVideo } from './sample-video.ts'
import { nullIfNotThere, type Session, settledStory } from './session.ts'

export interface ConversionRun {
  readonly video: string
  readonly upload: Upload
  readonly uploaded: SentRequest
  readonly request: SentRequest
  readonly story: StoryBody
  /** Null if it was refused. */
  readonly mp3: (Conversion & { readonly file: string }) | null
  /** The mp3 was fetched whole and nothing is left to do. */
  readonly succeeded: boolean
}

const storyMaxMs = 60_000

/** Uploads a real video, has its sound converted to mp3, waits for it and saves it in `dir`. */
export async function convertSampleVideo(
  { client, sent }: Session,
  { dir, ffmpeg }: { readonly dir: string; readonly ffmpeg: string },
): Promise<ConversionRun> {
  const { media } = client
  const video = await sampleVideo({ ffmpeg, file: join(dir, 'sample.mp4') })
  const upload = await media.upload(Bun.file(video), 'video/mp4')
  const uploaded = sent()
  const { id } = await media.convert({ uploadId: upload.id, preset: 'mp3-128' })
  const request = sent()
  const story = await settledStory(client, id, storyMaxMs)
  const conversion = await media.getConversion(id).catch(nullIfNotThere)
  const run = { video, upload, uploaded, request, story }
  if (conversion === null) return { ...run, mp3: null, succeeded: false }

  const bytes = await (await media.download(id)).bytes()
  const file = join(dir, 'sample.mp3')
  await Bun.write(file, bytes)
  const isWhole = new Bun.CryptoHasher('sha256').update(bytes).digest('hex') === conversion.sha256
  const isDone = story.commands.every(({ state }) => state === 'succeeded')
  return { ...run, mp3: { ...conversion, file }, succeeded: isDone && isWhole }
}
