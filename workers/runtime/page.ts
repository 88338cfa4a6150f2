import { type Static, Type } from '@sinclair/typebox'
import { Id, PageQuery } from '../../queues/schemas.ts'

/** The query of a list whose cursor is the id of the last item of the page before. */
export const PageById = Type.Object({ limit: PageQuery.properties.limit, cursor: Type.Optional(Id) })

const limitDefault = 20

/** What to read for a page: one item more than is shown tells whether there is another page. */
export const rangeOf = ({ limit = limitDefault, cursor = undefined }: Static<typeof PageById>) => ({
  limit: limit + 1,
  cursor: cursor ?? null,
})

/** The page that was read with `rangeOf` of the same query. */
export function toPage<Item extends { readonly id: string }>(
  items: readonly Item[],
  { limit = limitDefault }: Static<typeof PageById>,
): { items: Item[]; nextCursor: string | null } {
  const shown = items.slice(0, limit)
  return { items: shown, nextCursor: items.length > limit ? (shown.at(-1)?.id ?? null) : null }
}
