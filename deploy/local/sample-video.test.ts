import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureFfmpeg } from './ffmpeg.ts'
import { sampleVideo } from './sample-video.ts'

const dir = mkdtempSync(join(tmpdir(), 'waybill-video-'))

afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('the sample video', () => {
  test('has a picture and a sound track of the asked length', async () => {
    const { ffmpeg, ffprobe } = await ensureFfmpeg()
    const file = await sampleVideo({ ffmpeg, file: join(dir, 'sample.mp4'), seconds: 2 })
    const entries = 'stream=codec_type:format=duration,format_name'
    const probe = Bun.spawnSync([ffprobe, '-v', 'error', '-show_entries', entries, '-of', 'json', file], {
      env: {},
    })
    const { streams, format } = JSON.parse(probe.stdout.toString())
    expect(streams).toEqual([{ codec_type: 'video' }, { codec_type: 'audio' }])
    expect(format.format_name).toContain('mp4')
    expect(Number(format.duration)).toBeCloseTo(2, 0)
  })
})
