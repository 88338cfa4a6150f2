import type { CommandView, Waiter } from '../queues/story.ts'
import { refusalOf, toCommandBody } from './command-view.ts'
import type { EdgeContext } from './context.ts'
import { problemResponse } from './problems.ts'

export interface OutcomeDeps {
  readonly waiter: Waiter
  readonly read: (id: string) => Promise<CommandView | null>
  readonly publicUrl: string
}

export interface Outcomes {
  /** The command as it is once it is settled or the time is up. `honoured` tells if it was waited for at all. */
  readonly await: (id: string, seconds: number) => Promise<{ command: CommandView | null; honoured: boolean }>
  /** Answers the request for a command, after up to `seconds` of waiting for its outcome. */
  readonly answer: (c: EdgeContext, id: string, name: string, seconds: number) => Promise<Response>
}

/** Answers held back at once, at the most; beyond it nobody's wait is honoured, which RFC 7240 allows. */
const waitingMax = 5_000

export function createOutcomes({ waiter, read, publicUrl }: OutcomeDeps): Outcomes {
  let waiting = 0

  const settled = async (id: string, seconds: number): Promise<CommandView | null> => {
    waiting++
    try {
      return await waiter.settled(id, seconds * 1_000)
    } finally {
      waiting--
    }
  }
  const outcomes: Outcomes = {
    await: async (id, seconds) => {
      const honoured = seconds > 0 && waiting < waitingMax
      const command = (honoured ? await settled(id, seconds) : null) ?? (await read(id))
      return { command, honoured }
    },
    answer: async (c, id, name, seconds) => {
      // It was accepted, so nothing that happens to this reading may turn the answer into an error.
      const { command, honoured } = await outcomes
        .await(id, seconds)
        .catch(() => ({ command: null, honoured: false }))
      const headers = {
        location: `/v1/commands/${id}`,
        'cache-control': 'no-store',
        ...(honoured && { 'preference-applied': `wait=${seconds}` }),
      }
      if (honoured && command?.state === 'succeeded')
        return Response.json(toCommandBody(command, false), { status: 200, headers })
      const refusal = honoured && command ? refusalOf(command) : null
      if (refusal)
        return problemResponse(
          refusal,
          { headers, members: { ...refusal.detail, commandId: id } },
          { publicUrl, requestId: c.get('requestId') },
        )
      return Response.json(
        { id, command: name, state: command?.state ?? 'accepted' },
        { status: 202, headers },
      )
    },
  }
  return outcomes
}
