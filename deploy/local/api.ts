import type { SentRequest } from '../../client/story-text.ts'
import type { CommandBody, StoryBody } from '../../edge/command-view.ts'
import type { Tokens } from '../../queues/accounts.ts'

/** An answer that is no success: one line that says which request and what the problem was. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** The problem's code, such as `out_of_stock`; empty when the answer was no problem document. */
  readonly code: string
  constructor(line: string, status: number, { code = '', title = '', detail = '' }: Problem) {
    super(`${line} answered ${[status, code, title, detail].filter(part => part !== '').join(' ')}`)
    this.code = code
  }
}
interface Problem {
  readonly code?: string
  readonly title?: string
  readonly detail?: string
}

/** For `catch`: what is not there is null, everything else stays an error. */
export function nullIfNotThere(error: unknown): null {
  if (error instanceof ApiError && error.code === 'not_found') return null
  throw error
}

export interface Ask {
  /** Becomes JSON, unless it is a file. */
  readonly body?: unknown
  readonly idempotencyKey?: string
  /** Seconds to wait for the outcome. */
  readonly wait?: number
}

/** The public HTTP API as one account sees it. Every method throws an ApiError on any answer but 2xx. */
export interface Api {
  readonly get: <T>(path: string) => Promise<T>
  readonly bytes: (path: string) => Promise<Uint8Array>
  readonly post: <T>(path: string, ask: Ask) => Promise<{ body: T; sent: SentRequest }>
  /** The story of a command once nothing of it is open any more; as it stands after `maxMs`. */
  readonly settledStory: (commandId: string, maxMs: number) => Promise<StoryBody>
}

export async function signIn(url: string, login: { email: string; password: string }): Promise<Api> {
  const { email, password } = login
  const anybody = apiOf(url, {})
  const { body } = await anybody.post<Tokens>('/v1/sessions', { body: { email, password } })
  return apiOf(url, { authorization: `Bearer ${body.accessToken}` })
}

function apiOf(url: string, always: Readonly<Record<string, string>>): Api {
  const ask = async (method: string, path: string, init: RequestInit = {}): Promise<Response> => {
    const answer = await fetch(`${url}${path}`, { ...init, method, headers: { ...always, ...init.headers } })
    if (answer.ok) return answer
    const problem = (await answer.json().catch(() => ({}))) as Problem
    throw new ApiError(`${method} ${path}`, answer.status, problem)
  }
  const get = async <T>(path: string) => (await (await ask('GET', path)).json()) as T
  return {
    get,
    bytes: async path => (await ask('GET', path)).bytes(),
    post: async <T>(path: string, { body, idempotencyKey, wait }: Ask) => {
      const sentAt = new Date()
      const started = performance.now()
      const isFile = body instanceof Blob
      const headers = {
        'content-type': isFile ? body.type : 'application/json',
        ...(idempotencyKey && { 'idempotency-key': idempotencyKey }),
        ...(wait && { prefer: `wait=${wait}` }),
      }
      const answer = await ask('POST', path, { headers, body: isFile ? body : JSON.stringify(body) })
      const tookMs = performance.now() - started
      const sent = { line: `POST ${path}`, status: answer.status, sentAt, tookMs }
      return { body: (await answer.json()) as T, sent }
    },
    settledStory: async (commandId, maxMs) => {
      const deadline = performance.now() + maxMs
      for (;;) {
        const story = await get<StoryBody>(`/v1/commands/${commandId}/story`)
        if (story.commands.every(isSettled) || performance.now() > deadline) return story
        await Bun.sleep(50)
      }
    },
  }
}

const isSettled = ({ settledAt }: Pick<CommandBody, 'settledAt'>) => settledAt !== null
