import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { type Conversion, convert } from '../../queues/media.ts'
import { makeSamples, type Samples } from './samples.fixture.ts'
import { newOwner, sha256, type TestMedia, testMedia } from './service.fixture.ts'

let media: TestMedia
let samples: Samples
beforeAll(async () => {
  media = await testMedia()
  samples = await makeSamples(join(media.dir, 'samples'))
})
afterAll(() => media.stop())

interface Made {
  readonly conversionId: string
  readonly durationMs: number
  readonly bytes: number
  readonly sha256: string
}

describe('what has sound becomes an mp3 of the same length', () => {
  test.each([
    'good.mp4',
    'good.mkv',
    'good.avi',
    'good.ts',
    'good.wav',
    'good.mp3',
    'good.flac',
    'good.ogg',
    'surround.mkv',
  ] as const)('%s', async name => {
    const owner = newOwner()
    const converted = await media.convert(samples[name], owner)
    expect(converted.state).toBe('succeeded')
    const made = converted.result as Made
    expect(made.durationMs).toBeWithin(5_900, 6_200)
    const file = await media.ask(`/conversions/${made.conversionId}/file`, owner)
    const bytes = await file.arrayBuffer()
    expect(sha256(bytes)).toBe(made.sha256)
    expect(bytes.byteLength).toBe(made.bytes)
    expect(await media.filesIn('attempts')).toEqual([])
  })
  test('also when the picture goes on longer than the sound', async () => {
    const { result } = await media.convert(samples['short-sound.mkv'])
    expect((result as Made).durationMs).toBeWithin(1_900, 2_200)
  })
  test('and its owner is told', async () => {
    const owner = newOwner()
    const { id } = await media.convert(samples['good.mp4'], owner)
    const rows = await media.kernel.sql`select payload from journal.events
      where type = 'media.converted' and command_id = ${id}`
    expect(rows.map(({ payload }) => payload)).toEqual([{ conversionId: id, ownerId: owner.id }])
  })
})

describe('what cannot be converted is refused, with the reason, and nothing is left', () => {
  test.each([
    ['silent.mp4', 'no_audio_stream'],
    ['text.mp4', 'unsupported_format'],
    ['noise.mp4', 'corrupt'],
    ['truncated.mp4', 'corrupt'],
    ['truncated-before-its-index.mp4', 'corrupt'],
    ['truncated.mkv', 'corrupt'],
    ['playlist.mp4', 'unsupported_format'],
    ['script.mp4', 'unsupported_format'],
  ] as const)('%s: %s', async (name, code) => {
    const before = await media.filesIn('conversions')
    const refused = await media.convert(samples[name])
    expect(refused).toMatchObject({ state: 'rejected', result: { code } })
    expect(refused.attempts).toHaveLength(1)
    expect(await media.filesIn('attempts')).toEqual([])
    expect(await media.filesIn('conversions')).toEqual(before)
  })
  test('an empty file: unsupported_format', async () => {
    const actor = newOwner()
    const uploadId = await media.upload(samples['good.mp4'], actor)
    await truncate(join(media.dir, 'media', 'uploads', actor.id, uploadId))
    const refused = await media.kernel.run(convert, { uploadId, preset: 'mp3-128' }, { actor })
    expect(refused).toMatchObject({ state: 'rejected', result: { code: 'unsupported_format' } })
  })
  test('more than a minute where a minute is the limit: too_long, with both lengths', async () => {
    const { result } = await media.convert(samples['long.mp3'])
    expect(result).toMatchObject({ code: 'too_long', detail: { maxMs: 60_000 } })
    expect((result as { detail: { durationMs: number } }).detail.durationMs).toBeWithin(69_000, 71_000)
  })
  test('the same when the file does not say how long it is', async () => {
    const { result } = await media.convert(samples['long-without-length.mkv'])
    expect(result).toMatchObject({ code: 'too_long', detail: { maxMs: 60_000 } })
  })
})

describe('404: what belongs to somebody else does not exist', () => {
  test('an upload', async () => {
    const uploadId = await media.upload(samples['good.mp4'], newOwner())
    const refused = await media.kernel.run(convert, { uploadId, preset: 'mp3-128' }, { actor: newOwner() })
    expect(refused).toMatchObject({ state: 'rejected', result: { code: 'upload_not_found' } })
  })
  test('a conversion and its file', async () => {
    const owner = newOwner()
    const { id } = await media.convert(samples['good.mp4'], owner)
    const own = await media.ask(`/conversions/${id}`, owner)
    expect(own.status).toBe(200)
    expect((await own.json()) as Conversion).toMatchObject({ id, preset: 'mp3-128' })
    for (const path of [`/conversions/${id}`, `/conversions/${id}/file`]) {
      const foreign = await media.ask(path, newOwner())
      expect([foreign.status, await foreign.json()]).toEqual([404, { code: 'not_found' }])
    }
  })
})
