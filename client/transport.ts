export interface ClientOptions {
  /** `https://api.example.com`, without a path. */
  readonly baseUrl: string
  /** An access token, or a function that gives one whenever it is needed. */
  readonly token?: string | (() => string | Promise<string>)
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
  /** Tries of one request, the first included. */
  readonly attemptsMax?: number
  /** Milliseconds before the try that follows `failures` failed ones. */
  readonly retryDelayMs?: (failures: number) => number
}

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  /** Stable: programs may rely on it. */
  readonly code: string
  readonly detail?: string
  readonly errors?: readonly {
    readonly pointer?: string
    readonly parameter?: string
    readonly detail: string
  }[]
  readonly requestId?: string
  readonly [member: string]: unknown
}

/** The server said no; `problem` says why. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem'
  readonly problem: Problem
  constructor(problem: Problem) {
    super(`${problem.status} ${problem.code}: ${problem.detail ?? problem.title}`)
    this.problem = problem
  }
  get status(): number {
    return this.problem.status
  }
  get code(): string {
    return this.problem.code
  }
}

export interface Call {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: RequestInit['body']
  readonly signal?: AbortSignal | undefined
  /** May be sent again if the answer does not come: it reads, or carries an Idempotency-Key. */
  readonly repeatable: boolean
}

/** Sends a request, again if it is safe to and might help, and answers what came back, whatever its status. */
export type Send = (call: Call) => Promise<Response>

export function createSend({
  baseUrl,
  token,
  fetch = (url, init) => globalThis.fetch(url, init),
  attemptsMax = 5,
  retryDelayMs = failures => Math.min(200 * 2 ** (failures - 1), 5_000) * (0.5 + Math.random() / 2),
}: ClientOptions): Send {
  const attempt = async ({ method, path, headers, body, signal }: Call) => {
    const bearer = typeof token === 'function' ? await token() : token
    return fetch(`${baseUrl.replace(/\/$/, '')}${path}`, {
      method,
      headers: { ...headers, ...(bearer && { authorization: `Bearer ${bearer}` }) },
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
    })
  }
  return async call => {
    for (let failures = 1; ; failures++) {
      const isLast = !call.repeatable || failures >= attemptsMax
      const answer = await attempt(call).catch(error => {
        if (isLast || call.signal?.aborted) throw error
        return null
      })
      if (answer && (isLast || !isPassing(answer.status))) return answer
      await answer?.body?.cancel()
      await sleep(Math.max(retryDelayMs(failures), retryAfterMs(answer)), call.signal)
    }
  }
}

/** The answer's JSON. Throws an ApiProblem for any other status than success. */
export async function jsonOf<T>(answer: Response): Promise<T> {
  if (answer.ok) return (await answer.json()) as T
  throw new ApiProblem(await problemOf(answer))
}

export async function problemOf(answer: Response): Promise<Problem> {
  const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json')
  if (isProblem) return (await answer.json()) as Problem
  await answer.body?.cancel()
  // Somebody between us and the server.
  return { type: 'about:blank', title: 'An answer of another kind.', status: answer.status, code: 'unknown' }
}

const isPassing = (status: number) => status === 502 || status === 503 || status === 504

/** A server that asks for more patience than this is not waited for. */
const retryAfterMaxMs = 10_000
const retryAfterMs = (answer: Response | null): number => {
  const seconds = Number(answer?.headers.get('retry-after') ?? 0)
  return seconds > 0 ? Math.min(seconds * 1_000, retryAfterMaxMs) : 0
}

const sleep = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end)
      resolve()
    }, ms)
    if (signal?.aborted) end()
    else signal?.addEventListener('abort', end, { once: true })
  })
