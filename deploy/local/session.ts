import { type Client, createClient } from '../../client/client.ts'
import type { SentRequest } from '../../client/story-text.ts'
import { ApiProblem } from '../../client/transport.ts'
import type { StoryBody } from '../../edge/command-view.ts'

/** The public API as one account sees it. */
export interface Session {
  readonly client: Client
  /** The latest request of this session that had an answer. */
  readonly sent: () => SentRequest
}

export async function signIn(baseUrl: string, login: { email: string; password: string }): Promise<Session> {
  const { email, password } = login
  const { accessToken } = await createClient({ baseUrl }).sessions.login({ email, password })
  let sent: SentRequest | undefined
  const client = createClient({
    baseUrl,
    token: accessToken,
    fetch: async (url, init) => {
      const sentAt = new Date()
      const began = performance.now()
      const answer = await fetch(url, init)
      const tookMs = performance.now() - began
      sent = { line: `${init.method} ${url.slice(baseUrl.length)}`, status: answer.status, sentAt, tookMs }
      return answer
    },
  })
  return {
    client,
    sent: () => {
      if (sent) return sent
      throw new Error('nothing was sent yet')
    },
  }
}

/** The story of a command once nothing of it is open any more; as it stands after `maxMs`. */
export async function settledStory(
  { commands }: Client,
  commandId: string,
  maxMs: number,
): Promise<StoryBody> {
  const deadline = performance.now() + maxMs
  for (;;) {
    const story = await commands.story(commandId)
    const isSettled = story.commands.every(({ settledAt }) => settledAt !== null)
    if (isSettled || performance.now() > deadline) return story
    await Bun.sleep(50)
  }
}

/** For `catch`: what is not there is null, everything else stays an error. */
export function nullIfNotThere(error: unknown): null {
  if (error instanceof ApiProblem && error.code === 'not_found') return null
  throw error
}
