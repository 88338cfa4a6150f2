import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { v7 as uuidv7 } from 'uuid'
import { listen } from '../edge/serve.ts'
import type { Target } from '../edge/upstream.ts'
import { createEnqueuer, type Enqueuer } from '../queues/enqueue.ts'
import { mediaService } from '../workers/media/index.ts'
import { makeSamples } from '../workers/media/samples.fixture.ts'
import { guarded } from '../workers/runtime/http.ts'
import { customer, type TestEdge, testEdge } from './edge-harness.ts'
import { type TestKernel, testKernel, testLog } from './harness.ts'

const secret = 'between-the-edge-and-media'
const uploadMaxBytes = 2_000_000
let dir: string
let video: string
let kernel: TestKernel
let enqueuer: Enqueuer
let service: ReturnType<typeof Bun.serve>
let edge: TestEdge
let listener: ReturnType<typeof listen>
let token: string

/** Media behind HTTP and the edge on a port, so that streams are streams. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'waybill-edge-media-'))
  video = (await makeSamples(join(dir, 'samples')))['good.mp4']
  kernel = await testKernel({
    services: [mediaService],
    env: { ...process.env, MEDIA_DIR: join(dir, 'media') },
  })
  const routes = kernel.services.routesOf('media')
  service = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: guarded(routes, secret, {
      ailments: async () => [],
      breakers: () => [],
      metrics: kernel.services.metrics.scrape,
    }),
  })
  enqueuer = createEnqueuer(kernel.redis, testLog)
  edge = await edgeTo(`http://127.0.0.1:${service.port}`)
  listener = listen(edge.edge.fetch, { HOST: '127.0.0.1', PORT: 0 })
  token = await edge.tokenFor(customer())
})
afterAll(async () => {
  await listener.stop()
  await service.stop(true)
  await enqueuer.close()
  await kernel.stop()
  await rm(dir, { recursive: true })
})
const edgeTo = (media: Target) =>
  testEdge({
    database: kernel.database,
    enqueuer,
    upstreams: { media },
    settings: { INTERNAL_SECRET: secret, UPLOAD_MAX_BYTES: String(uploadMaxBytes) },
  })

const call = (path: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${listener.port}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
  })
const upload = (body: BodyInit, headers: Record<string, string> = {}) =>
  call('/v1/media/uploads', { method: 'POST', body, headers: { 'content-type': 'video/mp4', ...headers } })

async function convert(): Promise<string> {
  const sent = await upload(Bun.file(video))
  const { id: uploadId } = (await sent.json()) as { id: string }
  const converted = await call('/v1/media/conversions', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': uuidv7(), prefer: 'wait=30' },
    body: JSON.stringify({ uploadId, preset: 'mp3-128' }),
  })
  expect(converted.status).toBe(200)
  return ((await converted.json()) as { output: { conversionId: string } }).output.conversionId
}

test('a video goes in, an mp3 comes out, whole and in parts, and only for its owner', async () => {
  const id = await convert()
  const read = (await (await call(`/v1/media/conversions/${id}`)).json()) as { bytes: number; sha256: string }

  const whole = await call(`/v1/media/conversions/${id}/file`)
  expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'audio/mpeg'])
  const bytes = await whole.bytes()
  expect(bytes.length).toBe(read.bytes)
  expect(new Bun.CryptoHasher('sha256').update(bytes).digest('hex')).toBe(read.sha256)

  const part = await call(`/v1/media/conversions/${id}/file`, { headers: { range: 'bytes=10-19' } })
  expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 10-19/${read.bytes}`])
  expect(await part.bytes()).toEqual(bytes.slice(10, 20))

  const known = { 'if-none-match': whole.headers.get('etag') ?? '' }
  expect((await call(`/v1/media/conversions/${id}/file`, { headers: known })).status).toBe(304)
  const beyond = await call(`/v1/media/conversions/${id}/file`, {
    headers: { range: `bytes=${read.bytes}-` },
  })
  expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${read.bytes}`])
  expect(beyond.headers.get('content-type')).toBe('application/problem+json')

  const stranger = { authorization: `Bearer ${await edge.tokenFor(customer())}` }
  for (const path of [`/v1/media/conversions/${id}`, `/v1/media/conversions/${id}/file`])
    expect([path, (await call(path, { headers: stranger })).status]).toEqual([path, 404])
})

test('an upload of unknown length arrives as it is', async () => {
  const chunks = ['one', 'two', 'three']
  const stream = new ReadableStream({
    async pull(controller) {
      const chunk = chunks.shift()
      if (chunk === undefined) return controller.close()
      controller.enqueue(new TextEncoder().encode(chunk))
      await Bun.sleep(10)
    },
  })
  const sent = await upload(stream)
  expect(sent.status).toBe(201)
  const sha256 = new Bun.CryptoHasher('sha256').update('onetwothree').digest('hex')
  expect(await sent.json()).toMatchObject({ bytes: 11, sha256 })
})

describe('refused uploads', () => {
  const problemOf = async (asked: Promise<Response>) => {
    const answer = await asked
    return [answer.status, ((await answer.json()) as { code: string }).code]
  }
  test('413: more bytes than allowed, declared or counted', async () => {
    const tooMuch = new Uint8Array(uploadMaxBytes + 1)
    expect(await problemOf(upload(tooMuch))).toEqual([413, 'body_too_large'])
    expect(await problemOf(upload(new Blob([tooMuch]).stream()))).toEqual([413, 'body_too_large'])
  })
  test('415: what is neither video nor sound', async () => {
    expect(await problemOf(upload('{}', { 'content-type': 'application/json' }))).toEqual([
      415,
      'unsupported_media_type',
    ])
  })
  test('400: nothing', async () => {
    expect(await problemOf(upload(''))).toEqual([400, 'upload_empty'])
  })
  test('401, 403 before a byte is passed on', async () => {
    const held = await edge.tokenFor({ id: uuidv7(), scopes: ['media:read'] })
    expect((await upload('x', { authorization: '' })).status).toBe(401)
    expect((await upload('x', { authorization: `Bearer ${held}` })).status).toBe(403)
  })
  test('503: media is away', async () => {
    const alone = await edgeTo('http://127.0.0.1:1')
    const answer = await alone.ask('POST', '/v1/media/uploads', {
      token,
      body: 'x',
      headers: { 'content-type': 'video/mp4' },
    })
    expect([answer.status, answer.body.code]).toEqual([503, 'upstream_unavailable'])
  })
})

test('media refuses whoever does not know the secret', async () => {
  const answer = await fetch(`http://127.0.0.1:${service.port}/uploads`, {
    method: 'POST',
    body: 'x',
    headers: { 'x-waybill-actor': uuidv7() },
  })
  expect(answer.status).toBe(401)
})
