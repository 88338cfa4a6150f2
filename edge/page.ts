import { Type } from '@sinclair/typebox'
import { closed, Id, PageQuery } from '../queues/schemas.ts'

/** The query of every list. */
export const PageParameters = Type.Object(
  {
    limit: PageQuery.properties.limit,
    cursor: Type.Optional({ ...Id, description: '`nextCursor` of the page before.' }),
  },
  closed,
)
