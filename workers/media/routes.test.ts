import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Upload } from '../../queues/media.ts'
import { makeSamples, type Samples } from './samples.fixture.ts'
import { newOwner, type Owner, sha256, type TestMedia, testMedia } from './service.fixture.ts'

const mebibyte = 2 ** 20
let media: TestMedia
let samples: Samples
beforeAll(async () => {
  media = await testMedia()
  samples = await makeSamples(join(media.dir, 'samples'))
})
afterAll(() => media.stop())

describe('an upload', () => {
  const send = (body: BodyInit | null, headers: Record<string, string> = {}, owner = newOwner()) =>
    media.ask('/uploads', owner, { method: 'POST', body, headers })
  /** That many bytes, a chunk at a time, without saying before how many there will be. */
  const streamOf = (bytes: number, chunk = 65_536) => {
    let left = bytes
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        if (left === 0) return controller.close()
        const size = Math.min(chunk, left)
        left -= size
        controller.enqueue(new Uint8Array(size).fill(7))
      },
    })
  }

  test('201: its bytes are counted and digested, and kept where only its owner’s are', async () => {
    const owner = newOwner()
    const response = await send(streamOf(100_000), {}, owner)
    expect(response.status).toBe(201)
    const upload = (await response.json()) as Upload
    expect(upload).toEqual({
      id: expect.any(String),
      bytes: 100_000,
      sha256: sha256(new Uint8Array(100_000).fill(7)),
      createdAt: expect.any(String),
    })
    const kept = Bun.file(join(media.dir, 'media', 'uploads', owner.id, upload.id))
    expect(sha256(await kept.bytes())).toBe(upload.sha256)
  })
  test('201: of exactly as many bytes as are allowed', async () => {
    expect((await send(streamOf(mebibyte))).status).toBe(201)
  })
  test('413: of one byte more, found out while it streams', async () => {
    const before = await media.filesIn('uploads')
    const response = await send(streamOf(mebibyte + 1))
    expect([response.status, await response.json()]).toEqual([413, { code: 'body_too_large' }])
    expect(await media.filesIn('uploads')).toEqual(before)
    expect(await media.filesIn('incoming')).toEqual([])
  })
  test('413: that never ends, after no more than was allowed', async () => {
    let sent = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536
        controller.enqueue(new Uint8Array(65_536))
      },
    })
    expect((await send(endless)).status).toBe(413)
    expect(sent).toBeLessThan(2 * mebibyte)
  })
  test('413: that says beforehand that it is too long, before a byte is read', async () => {
    let read = false
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          read = true
          controller.enqueue(new Uint8Array(1))
        },
      },
      { highWaterMark: 0 },
    )
    expect((await send(body, { 'content-length': String(mebibyte + 1) })).status).toBe(413)
    expect(read).toBe(false)
  })
  test('400: of nothing', async () => {
    const response = await send(null)
    expect([response.status, await response.json()]).toEqual([400, { code: 'upload_empty' }])
  })
  test('400: that breaks off, and nothing is left of it', async () => {
    const before = await media.filesIn('uploads')
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(1_000))
        setTimeout(() => controller.error(new Error('the line is dead')), 20)
      },
    })
    const response = await send(broken)
    expect([response.status, await response.json()]).toEqual([400, { code: 'upload_broken' }])
    expect(await media.filesIn('uploads')).toEqual(before)
    expect(await media.filesIn('incoming')).toEqual([])
  })
  test.each(['content-length', 'chunked'])(
    'over the wire, broken off by its sender (%s): nothing is left of it',
    async framing => {
      const before = await media.filesIn('uploads')
      const app = media.kernel.services.routesOf('media')
      let handled: () => void = () => {}
      const done = new Promise<void>(resolve => {
        handled = resolve
      })
      const server = Bun.serve({ port: 0, fetch: request => app.handle(request).finally(handled) })
      const socket = connect(server.port ?? 0, '127.0.0.1')
      const size = framing === 'chunked' ? 'transfer-encoding: chunked' : 'content-length: 5000'
      const part = framing === 'chunked' ? `3e8\r\n${'x'.repeat(1_000)}\r\n` : 'x'.repeat(1_000)
      socket.write(
        `POST /uploads HTTP/1.1\r\nhost: media.test\r\nx-waybill-actor: ${newOwner().id}\r\n${size}\r\n\r\n${part}`,
      )
      await Bun.sleep(50)
      socket.destroy()
      await done
      expect(await media.filesIn('uploads')).toEqual(before)
      expect(await media.filesIn('incoming')).toEqual([])
      await server.stop(true)
    },
  )
  test('422: of nobody', async () => {
    expect(
      (await media.ask('/uploads', { ...newOwner(), id: 'me' }, { method: 'POST', body: 'x' })).status,
    ).toBe(422)
  })
})

describe('the file of a conversion', () => {
  let owner: Owner
  let path: string
  let whole: Uint8Array
  let etag: string
  beforeAll(async () => {
    owner = newOwner()
    const { id } = await media.convert(samples['good.mp4'], owner)
    path = `/conversions/${id}/file`
    const response = await media.ask(path, owner)
    whole = new Uint8Array(await response.arrayBuffer())
    etag = response.headers.get('etag') ?? ''
  })
  const ask = (headers: Record<string, string>) => media.ask(path, owner, { headers })

  test('200: whole, as an mp3 to keep, named by its digest', async () => {
    const { status, headers } = await ask({})
    expect(status).toBe(200)
    expect(etag).toBe(`"${sha256(whole)}"`)
    expect(headers.get('content-type')).toBe('audio/mpeg')
    expect(headers.get('content-length')).toBe(String(whole.byteLength))
    expect(headers.get('content-disposition')).toMatch(/^attachment; filename="[0-9a-f-]{36}\.mp3"$/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('accept-ranges')).toBe('bytes')
  })
  test.each([
    ['bytes=0-99', 0, 99],
    ['bytes=100-199', 100, 199],
    ['bytes=1000-', 1_000, -1],
    ['bytes=-500', -500, -1],
    ['bytes=10-99999999', 10, -1],
  ] as const)('206: %s', async (range, from, to) => {
    const response = await ask({ range })
    const first = from < 0 ? whole.byteLength + from : from
    const last = to < 0 ? whole.byteLength - 1 : to
    expect(response.status).toBe(206)
    expect(response.headers.get('content-range')).toBe(`bytes ${first}-${last}/${whole.byteLength}`)
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(whole.slice(first, last + 1))
  })
  test('206: in two parts that make the whole', async () => {
    const parts = await Promise.all(
      ['bytes=0-4999', 'bytes=5000-'].map(async range =>
        (await ask({ range, 'if-range': etag })).arrayBuffer(),
      ),
    )
    expect(sha256(Buffer.concat(parts.map(part => new Uint8Array(part))))).toBe(sha256(whole))
  })
  test.each([['bytes=5-1'], ['bytes=a-b'], ['lines=0-1'], ['bytes=0-1,5-6']])(
    '200: %s is no range that a server must know',
    async range => {
      expect((await ask({ range })).status).toBe(200)
    },
  )
  test('200: whole, if the part was asked of another file', async () => {
    expect((await ask({ range: 'bytes=0-1', 'if-range': '"another"' })).status).toBe(200)
  })
  test.each(['bytes=99999999-', 'bytes=-0'])('416: %s', async range => {
    const response = await ask({ range })
    expect(response.status).toBe(416)
    expect(response.headers.get('content-range')).toBe(`bytes */${whole.byteLength}`)
  })
  test('304: the caller has it', async () => {
    expect((await ask({ 'if-none-match': etag })).status).toBe(304)
    expect((await ask({ 'if-none-match': `"other", W/${etag}` })).status).toBe(304)
    expect((await ask({ 'if-none-match': '"other"' })).status).toBe(200)
  })
})
