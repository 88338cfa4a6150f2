import { Type } from '@sinclair/typebox'
import { t } from 'elysia'

/** Who reads: what is somebody's own, or everything, as the edge has found. */
export interface Reader {
  readonly actorId: string
  readonly seesAll: boolean
}

/** The query by which the edge says that whoever asks may see what is not theirs. */
export const Sight = Type.Object({ all: Type.Optional(t.Boolean()) })

export const readerOf = (
  headers: { readonly 'x-waybill-actor': string },
  { all = false }: { readonly all?: boolean },
): Reader => ({ actorId: headers['x-waybill-actor'], seesAll: all })
