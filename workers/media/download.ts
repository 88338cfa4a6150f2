/** Bytes `from` to `to`, both included. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

/**
 * What a Range header asks of a file (RFC 9110, section 14). 'whole' also for what is malformed and for several
 * ranges at once, which a server may ignore; 'unsatisfiable' if the file does not have the first byte.
 */
export function readRange(header: string | null, bytes: number): ByteRange | 'whole' | 'unsatisfiable' {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'whole'
  if (first === '') {
    const count = Math.min(Number(last), bytes)
    return count === 0 ? 'unsatisfiable' : { from: bytes - count, to: bytes - 1 }
  }
  const from = Number(first)
  const to = last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1)
  if (last !== '' && Number(last) < from) return 'whole'
  return from >= bytes ? 'unsatisfiable' : { from, to }
}

export interface Download {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  readonly contentType: string
  /** Made by us: it stands in a header. */
  readonly fileName: string
}

/** Answers the file, the part that Range asks for, or 304 if the caller has it already. Streamed from the disk. */
export function serveFile(
  { path, bytes, sha256, contentType, fileName }: Download,
  request: Headers,
): Response {
  const etag = `"${sha256}"`
  const headers = {
    etag,
    'accept-ranges': 'bytes',
    'cache-control': 'private, max-age=0, must-revalidate',
    'content-disposition': `attachment; filename="${fileName}"`,
    'content-type': contentType,
    'x-content-type-options': 'nosniff',
  }
  if (names(request.get('if-none-match'), etag)) return new Response(null, { status: 304, headers })
  const ifRange = request.get('if-range')
  const range = ifRange === null || ifRange === etag ? readRange(request.get('range'), bytes) : 'whole'
  if (range === 'whole')
    return new Response(Bun.file(path), { headers: { ...headers, 'content-length': String(bytes) } })
  if (range === 'unsatisfiable')
    return Response.json(
      { code: 'range_not_satisfiable' },
      { status: 416, headers: { 'content-range': `bytes */${bytes}` } },
    )
  const { from, to } = range
  return new Response(Bun.file(path).slice(from, to + 1), {
    status: 206,
    headers: {
      ...headers,
      'content-length': String(to + 1 - from),
      'content-range': `bytes ${from}-${to}/${bytes}`,
    },
  })
}

/** If-None-Match compares weakly, and `*` names everything. */
const names = (header: string | null, etag: string): boolean =>
  (header ?? '').split(',').some(each => ['*', etag, `W/${etag}`].includes(each.trim()))
