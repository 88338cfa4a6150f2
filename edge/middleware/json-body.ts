import { Problem } from '../problems.ts'

/** Levels of arrays and objects within each other. */
export const depthMax = 32
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * The body of a request as JSON. Bytes are counted while they arrive, depth before anything is parsed.
 * No body at all is an empty object. Throws a Problem: 400, 413 or 415.
 */
export async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  const { headers } = request
  const type = headers.get('content-type')
  if (type === null && isEmpty(request)) return {}
  if (type !== 'application/json' && !isJson(type)) throw wrongType(type)
  if (headers.has('content-encoding')) throw wrongType(`${headers.get('content-encoding')} encoding`)

  const text = decode(await readBytes(request, bytesMax))
  if (depthOf(text) > depthMax) throw new Problem('body_too_deep', { detail: `At most ${depthMax} levels.` })
  const value = parse(text)
  // Only an escape can bring in what Postgres cannot store; so most bodies are not walked.
  if (text.includes('\\u')) refuseUnstorable(value)
  return value
}

const isEmpty = ({ body, headers }: Request) => body === null || headers.get('content-length') === '0'

const isJson = (type: string | null): boolean =>
  type !== null && /^application\/json *(; *charset="?utf-8"? *)?$/i.test(type.slice(0, 100))

export const wrongType = (type: string | null, expected = 'application/json') =>
  new Problem('unsupported_media_type', {
    detail: `Expected ${expected}, got ${type === null ? 'no content type' : type.slice(0, 100)}.`,
    headers: { accept: expected },
  })

export const tooLarge = (bytesMax: number) =>
  new Problem('body_too_large', { detail: `At most ${bytesMax} bytes.`, members: { bytesMax } })

/** The body as it came, counted. Throws a Problem: 400 if it is cut off, 413. */
export async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > bytesMax) throw tooLarge(bytesMax)
  // The server holds the sender to a declared length; without one the bytes are counted here.
  if (declared !== null && !request.headers.has('transfer-encoding')) return await received(request, bytesMax)
  return await counted(request, bytesMax)
}

async function received(request: Request, bytesMax: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(await request.arrayBuffer().catch(cutOff))
  if (bytes.byteLength > bytesMax) throw tooLarge(bytesMax)
  return bytes
}

async function counted({ body }: Request, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = body?.getReader()
  while (reader) {
    const { done, value } = await reader.read().catch(cutOff)
    if (done) break
    bytes += value.byteLength
    if (bytes > bytesMax) {
      void reader.cancel().catch(() => {})
      throw tooLarge(bytesMax)
    }
    chunks.push(value)
  }
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

const malformed = (detail: string) => new Problem('malformed_json', { detail })

function cutOff(): never {
  throw malformed('The body was cut off.')
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw malformed('The body is not UTF-8.')
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw malformed(String((error as Error).message).slice(0, 200))
  }
}

const quote = 0x22
const backslash = 0x5c

/** How deep arrays and objects are nested, by their brackets outside of strings. */
export function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) at = endOfString(text, at + 1)
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x7d || code === 0x5d) depth--
  }
  return deepest
}

function endOfString(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1
  return at
}

function refuseUnstorable(value: unknown): void {
  if (typeof value === 'string') {
    if (value.includes('\0')) throw malformed('A string holds a NUL character.')
    if (!value.isWellFormed()) throw malformed('A string holds half of a surrogate pair.')
  } else if (typeof value === 'object' && value !== null)
    for (const [key, each] of Object.entries(value)) {
      refuseUnstorable(key)
      refuseUnstorable(each)
    }
}
