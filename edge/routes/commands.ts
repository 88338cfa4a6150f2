import { Type } from '@sinclair/typebox'
import type { Sql } from '../../db/client.ts'
import type { Actor } from '../../queues/access.ts'
import { Id } from '../../queues/schemas.ts'
import { type CommandView, readStory } from '../../queues/story.ts'
import { CommandBody, StoryBody, toCommandBody, toStoryBody } from '../command-view.ts'
import { fromJournal } from '../journal.ts'
import type { Mount } from '../operation.ts'
import type { Outcomes } from '../outcomes.ts'
import { preferHeader, preferredWait } from '../prefer.ts'
import { Problem } from '../problems.ts'

export interface CommandReadDeps {
  readonly sql: Sql
  readonly read: (id: string) => Promise<CommandView | null>
  readonly outcomes: Outcomes
}

/** What became of commands. They belong to whoever asked for them; operators see all. */
export function mountCommandReads(mount: Mount, { sql, read, outcomes }: CommandReadDeps): void {
  const params = Type.Object({ commandId: Id })

  mount(
    {
      id: 'commands.get',
      method: 'GET',
      path: '/v1/commands/{commandId}',
      tag: 'commands',
      summary: 'State, outcome and attempts of a command.',
      access: 'signed-in',
      params,
      headers: preferHeader,
      answers: { 200: { description: 'The command.', schema: CommandBody } },
      problems: ['not_found', 'journal_unavailable'],
    },
    async ({ c, actor, params: { commandId } }) => {
      const now = owned(await read(commandId), actor)
      const seconds = now.settledAt ? 0 : preferredWait(c.req.header('prefer'))
      const { command, honoured } =
        seconds > 0 ? await outcomes.await(commandId, seconds) : { command: now, honoured: false }
      return Response.json(toCommandBody(command ?? now, isOperator(actor)), {
        headers: {
          'cache-control': 'no-store',
          ...(honoured && { 'preference-applied': `wait=${seconds}` }),
        },
      })
    },
  )
  mount(
    {
      id: 'commands.story',
      method: 'GET',
      path: '/v1/commands/{commandId}/story',
      tag: 'commands',
      summary: 'Everything that came of a command: the whole tree that it is part of.',
      access: 'signed-in',
      params,
      answers: { 200: { description: 'The tree.', schema: StoryBody } },
      problems: ['not_found', 'journal_unavailable'],
    },
    async ({ actor, params: { commandId } }) => {
      const { correlationId } = owned(await read(commandId), actor)
      const { commands, events } = await fromJournal(readStory(sql, correlationId))
      const visible = commands.filter(each => isVisible(each, actor))
      return Response.json(toStoryBody({ commands: visible, events }, isOperator(actor)), {
        headers: { 'cache-control': 'no-store' },
      })
    },
  )
}

const isOperator = (actor: Actor) => actor.scopes.includes('ops:read')
const isVisible = (command: CommandView, actor: Actor) => command.actorId === actor.id || isOperator(actor)

/** Somebody else's command is not there. */
function owned(command: CommandView | null, actor: Actor): CommandView {
  if (command && isVisible(command, actor)) return command
  throw new Problem('not_found')
}
