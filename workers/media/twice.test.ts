import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { v7 as newId } from 'uuid'
import { startTrace } from '../../queues/trace.ts'
import { handlers } from './commands.ts'
import { readConfig } from './config.ts'
import { createFiles } from './files.ts'
import { makeSamples, type Samples } from './samples.fixture.ts'
import { newOwner, sha256, type TestMedia, testMedia } from './service.fixture.ts'

let media: TestMedia
let samples: Samples
beforeAll(async () => {
  media = await testMedia()
  samples = await makeSamples(join(media.dir, 'samples'))
})
afterAll(() => media.stop())

/** One command as its workers are given it: each run may be the last, or wake up after another has settled it. */
async function convertInRuns() {
  const config = readConfig(media.env)
  const sql = media.kernel.database.sql('media')
  const actor = newOwner()
  const id = newId()
  const uploadId = await media.upload(samples['good.mp4'], actor)
  const handler = handlers({ sql }, config, createFiles(config.dir))['media.convert']
  return {
    /** The handler alone: its effects are not carried out yet. */
    begin: (run: number) =>
      handler({
        id,
        run,
        actor,
        input: { uploadId, preset: 'mp3-128' },
        acceptedAt: new Date(),
        now: new Date(),
        traceparent: startTrace(),
        signal: new AbortController().signal,
      }),
    settle: (effects: Awaited<ReturnType<typeof handler>>) => {
      if (typeof effects !== 'function') throw new Error(`no effects: ${JSON.stringify(effects)}`)
      return sql.begin(effects)
    },
    /** What is there in the end: rows, files, and whether they agree. */
    outcome: async () => {
      const rows = await sql<{ sha256: string }[]>`select sha256 from media.conversions where id = ${id}`
      const files = (await media.filesIn('conversions')).filter(name => name.startsWith(id))
      const file = await media.ask(`/conversions/${id}/file`, actor)
      const intact = sha256(await file.arrayBuffer()) === rows[0]?.sha256
      return { rows: rows.length, files: files.length, intact, attempts: await media.filesIn('attempts') }
    },
  }
}
const once = { rows: 1, files: 1, intact: true, attempts: [] }

describe('twice is once: media.convert', () => {
  test('a run whose settlement was lost is repeated by another', async () => {
    const command = await convertInRuns()
    await command.begin(1)
    await command.settle(await command.begin(2))
    expect(await command.outcome()).toEqual(once)
  })
  test('effects that were carried out already change nothing', async () => {
    const command = await convertInRuns()
    await command.settle(await command.begin(1))
    await command.settle(await command.begin(2))
    expect(await command.outcome()).toEqual(once)
  })
  test('a zombie that works on while another run takes over spoils nothing', async () => {
    const command = await convertInRuns()
    const zombie = command.begin(1).catch(() => 'its folder was taken away')
    await Bun.sleep(60)
    await command.settle(await command.begin(2))
    await zombie
    expect(await command.outcome()).toEqual(once)
  })
  test('a zombie that wakes up after the end spoils nothing', async () => {
    const command = await convertInRuns()
    await command.settle(await command.begin(2))
    await command.begin(1)
    expect(await command.outcome()).toEqual(once)
  })
})
