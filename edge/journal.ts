import { Problem } from './problems.ts'

/** Longer than any healthy answer of Postgres takes. */
const answerMaxMs = 5_000

/** Calls the journal; throws a Problem (503) if Postgres is away, restarting, overloaded or silent for five seconds. */
export async function fromJournal<T>(asked: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(away(new Error('Postgres is silent'))), answerMaxMs)
  })
  try {
    return await Promise.race([asked, silence])
  } catch (error) {
    throw isAway(error) ? away(error) : error
  } finally {
    clearTimeout(timer)
  }
}

/** SQLSTATE classes: connection, rollback, read-only, resources, not in the right state, operator, system. */
const awayClasses = new Set(['08', '40', '25', '53', '55', '57', '58'])
const away = (cause: unknown) =>
  new Problem('journal_unavailable', { headers: { 'retry-after': '1' } }, cause)

/** Anything that Postgres did not say itself came from the way to it; a bug of ours is neither. */
function isAway(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false
  return error.name === 'PostgresError' ? awayClasses.has(error.code.slice(0, 2)) : true
}
