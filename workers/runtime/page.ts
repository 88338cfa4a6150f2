import { type Static, Type } from '@sinclair/typebox'
import { t } from 'elysia'
import { Id } from '../../queues/schemas.ts'

const limitDefault = 20

/** The query of a list whose cursor is the id of the last item of the page before. */
export const PageById = Type.Object({
  // Elysia's own integer: it reads "20" as a number, which it does not do for TypeBox's.
  limit: Type.Optional(t.Integer({ minimum: 1, maximum: 100 })),
  cursor: Type.Optional(Id),
})
type PageById = Static<typeof PageById>

/** What to read for a page: one item more than is shown tells whether there is another page. */
export const rangeOf = ({ limit = limitDefault, cursor }: PageById) => ({
  limit: limit + 1,
  cursor: cursor ?? null,
})

/** The page that was read with `rangeOf` of the same query. */
export function toPage<Item extends { readonly id: string }>(
  items: readonly Item[],
  { limit = limitDefault }: PageById,
): { items: Item[]; nextCursor: string | null } {
  const shown = items.slice(0, limit)
  return { items: shown, nextCursor: items.length > limit ? (shown.at(-1)?.id ?? null) : null }
}
