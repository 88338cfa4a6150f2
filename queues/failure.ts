import { createHash } from 'node:crypto'

/** What the journal keeps of a thrown error. */
export interface Failure {
  readonly name: string
  readonly message: string
  readonly stack: string
}

const messageMax = 2_000
const stackMax = 8_000

/** Whatever was thrown, as text that the journal can keep. */
export function toFailure(thrown: unknown): Failure {
  if (!(thrown instanceof Error)) return { name: 'NonError', message: textOf(thrown, messageMax), stack: '' }
  const { name, message, stack } = thrown
  return {
    name: textOf(name, messageMax),
    message: textOf(message, messageMax),
    stack: textOf(stack ?? '', stackMax),
  }
}

/** Postgres keeps neither NUL nor half of a character, which a cut can leave. */
function textOf(value: unknown, lengthMax: number): string {
  try {
    return String(value).slice(0, lengthMax).replaceAll('\0', '').toWellFormed()
  } catch {
    return 'something that cannot be told'
  }
}

/** Equal for failures of one cause: the error's class, its message without what varies, and the top of its stack. */
export function fingerprintOf({ name, message, stack }: Failure): string {
  const normal = message
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/gi, '<id>')
    .replace(/"[^"]*"|'[^']*'/g, '<text>')
    .replace(/\d+/g, '<n>')
  return createHash('sha256')
    .update(`${name}\n${normal}\n${topFrames(stack)}`)
    .digest('hex')
    .slice(0, 16)
}

/** Function and file of the first three frames; lines and folders differ from release to release. */
function topFrames(stack: string): string {
  const frames = stack.split('\n').filter(line => /^\s*at /.test(line))
  return frames
    .slice(0, 3)
    .map(frame => frame.replace(/\(?(?:[^\s()]*[\\/])?([^\s()\\/]+?)(?::\d+){0,2}\)?$/, '$1').trim())
    .join('\n')
}
