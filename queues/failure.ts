import { createHash } from 'node:crypto'

/** What the journal keeps of a thrown error. */
export interface Failure {
  readonly name: string
  readonly message: string
  readonly stack: string
}

const stackMax = 8_000

export function toFailure(thrown: unknown): Failure {
  if (!(thrown instanceof Error))
    return { name: 'NonError', message: String(thrown).slice(0, 2_000), stack: '' }
  const { name, message, stack } = thrown
  return { name, message: message.slice(0, 2_000), stack: (stack ?? '').slice(0, stackMax) }
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
