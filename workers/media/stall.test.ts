import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeSamples } from './samples.fixture.ts'
import { testMedia } from './service.fixture.ts'
import { stuckFfmpeg } from './stuck-ffmpeg.fixture.ts'

test('an ffmpeg that makes no progress is killed, its folder removed, and the conversion made by the next attempt', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'waybill-stall-'))
  const samples = await makeSamples(dir)
  const media = await testMedia({ FFMPEG: await stuckFfmpeg(dir), MEDIA_STALL_MS: '2000' })
  const { state, attempts } = await media.convert(samples['good.mp4'])
  expect(state).toBe('succeeded')
  expect(attempts.map(({ outcome, error }) => [outcome, error?.message])).toEqual([
    ['retrying', expect.stringContaining('ffmpeg failed (stalled)')],
    ['succeeded', undefined],
  ])
  expect(await media.filesIn('attempts')).toEqual([])
  expect(await media.filesIn('conversions')).toHaveLength(1)
  await media.stop()
  await rm(dir, { recursive: true })
})
