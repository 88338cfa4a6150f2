import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { Conversion, Upload } from '../../queues/media.ts'
import { closed, Id, oneOf } from '../../queues/schemas.ts'
import { ActorHeaders, NotFound, notFound } from '../runtime/http.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import type { MediaConfig } from './config.ts'
import { serveFile } from './download.ts'
import type { MediaFiles } from './files.ts'
import { findConversion } from './store.ts'
import { receiveUpload, type UploadFault } from './upload.ts'

const fault = <const Codes extends readonly UploadFault[]>(...codes: Codes) =>
  Type.Object({ code: oneOf(codes, 'What is wrong with the upload.') }, closed)
const TooLarge = fault('body_too_large')
const Unusable = fault('upload_empty', 'upload_broken')
const ById = { params: Type.Object({ id: Id }), headers: ActorHeaders }

/** Uploads come here as a stream: a recording never fits a journal, and never into memory. */
export const routes = (deps: ServiceDeps, config: MediaConfig, files: MediaFiles) =>
  new Elysia()
    .post(
      '/uploads',
      async ({ request, headers, status }) => {
        const upload = await receiveUpload(deps, config, files, request, headers['x-waybill-actor'])
        switch (upload) {
          case 'body_too_large':
            return status(413, { code: upload })
          case 'upload_empty':
          case 'upload_broken':
            return status(400, { code: upload })
          default:
            return status(201, upload)
        }
      },
      {
        parse: 'none',
        headers: ActorHeaders,
        response: { 201: Upload, 400: Unusable, 413: TooLarge },
      },
    )
    .get(
      '/conversions/:id',
      async ({ params, headers, status }) => {
        const conversion = await findConversion(deps.sql, params.id, headers['x-waybill-actor'])
        if (!conversion) return status(404, notFound)
        const { ownerId, createdAt, ...rest } = conversion
        return { ...rest, createdAt: createdAt.toISOString() }
      },
      { ...ById, response: { 200: Conversion, 404: NotFound } },
    )
    .get(
      '/conversions/:id/file',
      async ({ params, headers, request, status }) => {
        const conversion = await findConversion(deps.sql, params.id, headers['x-waybill-actor'])
        if (!conversion) return status(404, notFound)
        const { bytes, sha256 } = conversion
        return serveFile(
          {
            path: files.conversionPath(conversion, sha256),
            bytes,
            sha256,
            contentType: 'audio/mpeg',
            fileName: `${conversion.id}.mp3`,
          },
          request.headers,
        )
      },
      ById,
    )

export type MediaRoutes = ReturnType<typeof routes>
