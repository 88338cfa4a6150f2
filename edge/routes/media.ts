import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { Conversion, Upload } from '../../queues/media.ts'
import { Id } from '../../queues/schemas.ts'
import type { MediaRoutes } from '../../workers/media/routes.ts'
import { tooLarge, wrongType } from '../middleware/json-body.ts'
import type { Mount } from '../operation.ts'
import { Problem } from '../problems.ts'
import { answersOf, bodyOf, edenOf, invalid, onBehalfOf, type Upstream, unstored } from '../upstream.ts'

const params = Type.Object({ conversionId: Id })
const Bytes = Type.Unsafe<string>({ type: 'string', format: 'binary' })
/** An upload may take this long before its service answers, milliseconds. */
const uploadMaxMs = 900_000
/** What of a file's answer goes on to the caller. Bun sends a streamed body in chunks and drops its length. */
const fileHeaders = [
  'content-type',
  'content-length',
  'content-range',
  'content-disposition',
  'accept-ranges',
  'etag',
  'last-modified',
]

/** Uploads and files pass through as streams: nothing of them is held here. */
export function mountMedia(mount: Mount, upstream: Upstream, uploadMaxBytes: number): void {
  const api = treaty<MediaRoutes>(...edenOf(upstream))
  const conversion = answersOf(Conversion)
  const upload = answersOf(Upload)

  mount(
    {
      id: 'media.upload',
      method: 'POST',
      path: '/v1/media/uploads',
      tag: 'media',
      summary: 'Send a video or sound, as it is, in the body.',
      access: 'media:write',
      body: { contentType: 'application/octet-stream', schema: Bytes, required: true },
      answers: { 201: { description: 'It is kept.', schema: Upload } },
      problems: [
        'body_too_large',
        'unsupported_media_type',
        'upload_empty',
        'upload_broken',
        'upstream_unavailable',
      ],
    },
    async ({ c, actor }) => {
      const { body, headers, signal } = c.req.raw
      const type = headers.get('content-type') ?? 'application/octet-stream'
      if (!/^(video\/|audio\/|application\/octet-stream)/i.test(type))
        throw wrongType(type, 'video/*, audio/*, application/octet-stream')
      if (Number(headers.get('content-length') ?? 0) > uploadMaxBytes) throw tooLarge(uploadMaxBytes)
      if (!body) throw new Problem('upload_empty')

      const counted = countBytes(body, uploadMaxBytes)
      const request = { method: 'POST', body: counted.stream, duplex: 'half', signal }
      const answer = await upstream
        .open(
          '/uploads',
          { ...request, headers: { ...onBehalfOf(c, actor).headers, 'content-type': type } },
          uploadMaxMs,
        )
        .catch(error => {
          throw counted.isTooLarge() ? tooLarge(uploadMaxBytes) : error
        })
      if (counted.isTooLarge()) throw tooLarge(uploadMaxBytes)
      return Response.json(await upload(bodyOf(answer)), { status: 201, ...unstored })
    },
  )
  mount(
    {
      id: 'media.get-conversion',
      method: 'GET',
      path: '/v1/media/conversions/{conversionId}',
      tag: 'media',
      summary: 'What was made of an upload.',
      access: 'media:read',
      params,
      answers: { 200: { description: 'The conversion.', schema: Conversion } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params: { conversionId } }) =>
      Response.json(
        await conversion(api.conversions({ id: conversionId }).get(onBehalfOf(c, actor))),
        unstored,
      ),
  )
  mount(
    {
      id: 'media.download',
      method: 'GET',
      path: '/v1/media/conversions/{conversionId}/file',
      tag: 'media',
      summary: 'The mp3 itself.',
      access: 'media:read',
      params,
      headers: {
        Range: { schema: Type.String({ description: 'Some of the bytes: bytes=0-1023.' }), required: false },
      },
      answers: {
        200: { description: 'The file.', schema: Bytes, contentType: 'audio/mpeg' },
        206: { description: 'The bytes asked for.', schema: Bytes, contentType: 'audio/mpeg' },
        304: { description: 'The caller has it already.' },
      },
      problems: ['not_found', 'range_not_satisfiable', 'upstream_unavailable'],
    },
    async ({ c, actor, params: { conversionId } }) => {
      const asked = ['range', 'if-range', 'if-none-match'].flatMap((name): [string, string][] => {
        const value = c.req.header(name)
        return value === undefined ? [] : [[name, value]]
      })
      const headers = { ...Object.fromEntries(asked), ...onBehalfOf(c, actor).headers }
      const { signal } = c.req.raw
      const file = await upstream.open(`/conversions/${conversionId}/file`, { headers, signal })
      return await toFile(file)
    },
  )
}

async function toFile(file: Response): Promise<Response> {
  const headers = new Headers({ 'cache-control': 'private, no-cache' })
  for (const name of fileHeaders) {
    const value = file.headers.get(name)
    if (value !== null) headers.set(name, value)
  }
  if (file.status === 200 || file.status === 206 || file.status === 304)
    return new Response(file.body, { status: file.status, headers })
  await file.body?.cancel()
  if (file.status === 404) throw new Problem('not_found')
  if (file.status !== 416) throw invalid(`it answered ${file.status}`)
  throw new Problem('range_not_satisfiable', {
    headers: { 'content-range': file.headers.get('content-range') ?? 'bytes */*' },
  })
}

/** The same bytes; the stream fails once there are too many. */
function countBytes(body: ReadableStream<Uint8Array>, bytesMax: number) {
  let bytes = 0
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength
      if (bytes > bytesMax) controller.error(new Error('too large'))
      else controller.enqueue(chunk)
    },
  })
  return { stream: body.pipeThrough(counter), isTooLarge: () => bytes > bytesMax }
}
