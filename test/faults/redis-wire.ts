import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Protocol } from './tap.ts'

/** RESP3 as ioredis speaks it: a request is an array of strings, and each has one reply. */
export function redisWire(): Protocol {
  let fromClient: Buffer = Buffer.alloc(0)
  let fromServer: Buffer = Buffer.alloc(0)
  return {
    requests: bytes => {
      const { whole, rest } = split(Buffer.concat([fromClient, bytes]))
      fromClient = rest
      return whole.map(request => ({ bytes: request, name: `redis ${nameOf(request)}`, expectsReply: true }))
    },
    replies: bytes => {
      const { whole, rest } = split(Buffer.concat([fromServer, bytes]))
      fromServer = rest
      return whole.map(reply => ({ bytes: reply, isLast: reply[0] !== push }))
    },
  }
}

/** What Redis says unasked. */
const push = '>'.charCodeAt(0)

function split(bytes: Buffer): { whole: Buffer[]; rest: Buffer } {
  const whole: Buffer[] = []
  let at = 0
  for (let end = endOf(bytes, 0); end !== null; end = endOf(bytes, at)) {
    whole.push(bytes.subarray(at, end))
    at = end
  }
  return { whole, rest: bytes.subarray(at) }
}

/** Where the value that starts at `at` ends; null if it is not all there. */
function endOf(bytes: Buffer, at: number): number | null {
  const line = bytes.indexOf('\r\n', at)
  if (line < 0) return null
  const type = String.fromCharCode(bytes[at] ?? 0)
  const count = Number(bytes.toString('latin1', at + 1, line))
  let end: number | null = line + 2
  if ('$=!'.includes(type)) {
    if (count >= 0) end += count + 2
    return end <= bytes.length ? end : null
  }
  const items = '*~>'.includes(type) ? count : type === '%' ? 2 * count : 0
  for (let item = 0; item < items && end !== null; item++) end = endOf(bytes, end)
  return end
}

/** The script that it runs, else the command: `moveToActive`, `bzpopmin`. */
function nameOf(request: Buffer): string {
  const words = request.toString('latin1').split('\r\n')
  const command = (words[2] ?? '').toLowerCase()
  if (command === 'evalsha') return scripts.get(words[4] ?? '') ?? 'script'
  if (command === 'eval') return scripts.get(sha(textOf(request))) ?? 'script'
  return command
}

/** The second word of a request, whatever bytes it has. */
function textOf(request: Buffer): Buffer {
  const first = endOf(request, request.indexOf('\r\n') + 2) ?? 0
  const start = request.indexOf('\r\n', first) + 2
  return request.subarray(start, (endOf(request, first) ?? 0) - 2)
}

const sha = (text: string | Buffer): string => createHash('sha1').update(text).digest('hex')

/** BullMQ's scripts by the digest that EVALSHA calls them by. */
const scripts = await readScripts()

async function readScripts(): Promise<ReadonlyMap<string, string>> {
  const folder = join(dirname(Bun.resolveSync('bullmq', import.meta.dir)), 'scripts')
  const files = readdirSync(folder).filter(file => /-\d+\.js$/.test(file))
  const found = new Map<string, string>()
  for (const file of files) {
    const text = /const content = `([\s\S]*)`;/.exec(readFileSync(join(folder, file), 'utf8'))?.[1]
    if (text !== undefined) found.set(sha(text), file.replace(/-\d+\.js$/, ''))
  }
  return found
}
