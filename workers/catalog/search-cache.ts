import { createHash } from 'node:crypto'
import { cacheRedis } from '../../queues/redis.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import type { ProductSearch } from './reads.ts'

/** The products of one page of a search, in order, and the snapshot that they were found in. */
export interface FoundPage {
  /** The run of the server whose snapshot it is. */
  readonly server: string
  readonly snapshot: string
  readonly ids: readonly string[]
}

/** Remembers what searches found, if it can: it never fails, and whether it still holds is for Postgres to say. */
export interface SearchCache {
  readonly read: (search: ProductSearch) => Promise<FoundPage | null>
  readonly write: (search: ProductSearch, page: FoundPage) => void
  readonly close: () => Promise<void>
}

/** A search that is not kept waiting for longer is faster without. */
const timeoutMs = 50
const keptMs = 60_000

export function createSearchCache({
  redis: { url, prefix },
  log,
  ask,
}: Pick<ServiceDeps, 'redis' | 'log' | 'ask'>): SearchCache {
  const redis = cacheRedis(url, log)
  const remote = ask({ name: 'catalog.search-cache', timeoutMs, failuresInARow: 3 })
  const never = new AbortController().signal
  const keyOf = (search: ProductSearch) => `${prefix}:catalog-search:${digestOf(search)}`
  return {
    read: async search => {
      const reply = await remote(() => redis.get(keyOf(search)), never)
      return reply.kind === 'answer' ? readPage(reply.answer) : null
    },
    write: (search, page) => {
      void remote(() => redis.set(keyOf(search), JSON.stringify(page), 'PX', keptMs), never)
    },
    close: async () => redis.disconnect(),
  }
}

function digestOf({ q, category, sku, storeId, cursor, limit }: ProductSearch): string {
  const search = JSON.stringify([q, category, sku, storeId, cursor, limit].map(each => each ?? null))
  return createHash('sha256').update(search).digest('base64url')
}

const id = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Null for what is no page: Redis may hold anything. */
function readPage(text: string | null): FoundPage | null {
  try {
    const { server, snapshot, ids } = JSON.parse(text ?? 'null')
    const isPage =
      typeof server === 'string' &&
      isSnapshot(snapshot) &&
      Array.isArray(ids) &&
      ids.every(each => typeof each === 'string' && id.test(each))
    return isPage ? { server, snapshot, ids } : null
  } catch {
    return null
  }
}

/** `xmin:xmax:` and what was open between them, ascending, as Postgres wants it. */
function isSnapshot(text: unknown): boolean {
  const [, xmin = '', xmax = '', open = ''] = /^(\d{1,19}):(\d{1,19}):([\d,]*)$/.exec(String(text)) ?? []
  const ids = [xmin, ...open.split(',').filter(Boolean), xmax].map(BigInt)
  return xmax !== '' && ids.every((each, at) => each > 0n && each >= (ids[at - 1] ?? 1n))
}
