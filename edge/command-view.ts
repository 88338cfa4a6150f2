import { type Static, Type } from '@sinclair/typebox'
import type { Refusal } from '../queues/command.ts'
import type { CommandState } from '../queues/outcome.ts'
import { findCommand } from '../queues/registry.ts'
import { closed, Id, Instant, oneOf } from '../queues/schemas.ts'
import type { CommandView, Story } from '../queues/story.ts'

const states = [
  'accepted',
  'running',
  'waiting',
  'retrying',
  'succeeded',
  'rejected',
  'dead',
] as const satisfies readonly CommandState[]
export const State = oneOf(states, '`succeeded`, `rejected` and `dead` are final.')

export const AttemptBody = Type.Object(
  {
    number: Type.Integer({ minimum: 1 }),
    worker: Type.String(),
    startedAt: Instant,
    endedAt: Type.Union([Instant, Type.Null()]),
    outcome: oneOf(['running', 'lost', ...states], '`lost`: its worker died; another took over.'),
    error: Type.Optional(
      Type.Object(
        { name: Type.String(), message: Type.String() },
        { ...closed, description: 'Only for those who hold ops:read.' },
      ),
    ),
  },
  { ...closed, $id: 'Attempt' },
)

export const RefusalBody = Type.Object(
  {
    code: Type.String(),
    status: Type.Integer(),
    title: Type.String(),
    detail: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
  },
  { ...closed, $id: 'Refusal' },
)

const head = {
  id: Id,
  command: Type.String({ description: 'Its name, such as orders.place.' }),
  state: State,
}

/** What a 202 answers. */
export const AcceptedBody = Type.Object(head, { ...closed, $id: 'AcceptedCommand' })

/** A command as its caller sees it. */
export const CommandBody = Type.Object(
  {
    ...head,
    acceptedAt: Instant,
    settledAt: Type.Union([Instant, Type.Null()]),
    output: Type.Optional(Type.Unknown({ description: 'If it succeeded: as documented with the command.' })),
    refusal: Type.Optional(RefusalBody),
    attempts: Type.Array(AttemptBody),
  },
  { ...closed, $id: 'Command' },
)
export type CommandBody = Static<typeof CommandBody>

const orNull = (schema: typeof Id) => Type.Union([schema, Type.Null()])

/** Everything that came of one request. */
export const StoryBody = Type.Object(
  {
    commands: Type.Array(
      Type.Object(
        {
          ...CommandBody.properties,
          parentId: orNull(Id),
          eventId: Type.Union([Id, Type.Null()], { description: 'The event that called for it.' }),
        },
        { ...closed, $id: 'StoryCommand' },
      ),
      { description: 'Oldest first; the first one started it all. `parentId` makes it a tree.' },
    ),
    events: Type.Array(
      Type.Object(
        { id: Id, event: Type.String(), commandId: orNull(Id), emittedAt: Instant },
        { ...closed, $id: 'StoryEvent' },
      ),
    ),
  },
  { ...closed, $id: 'Story' },
)
export type StoryBody = Static<typeof StoryBody>

/** Written by hand: it is on the hottest path, and neither value needs escaping. */
export const acceptedJson = (id: string, command: string): string =>
  `{"id":"${id}","command":"${command}","state":"accepted"}`

/** The public view. Errors are for operators; stacks and inputs are for nobody here. */
export function toCommandBody(command: CommandView, forOperator: boolean): CommandBody {
  const refusal = refusalOf(command)
  return {
    id: command.id,
    command: command.type,
    state: command.state,
    acceptedAt: command.acceptedAt.toISOString(),
    settledAt: command.settledAt?.toISOString() ?? null,
    ...(command.state === 'succeeded' && { output: command.result }),
    ...(refusal && { refusal }),
    attempts: command.attempts.map(({ run, worker, startedAt, endedAt, outcome, error }) => ({
      number: run,
      worker,
      startedAt: startedAt.toISOString(),
      endedAt: endedAt?.toISOString() ?? null,
      outcome,
      ...(forOperator && error && { error: { name: error.name, message: error.message } }),
    })),
  }
}

/** The public view of a tree. */
export const toStoryBody = ({ commands, events }: Story, forOperator: boolean): StoryBody => ({
  commands: commands.map(command => ({
    ...toCommandBody(command, forOperator),
    parentId: command.parentId,
    eventId: command.eventId,
  })),
  events: events.map(({ id, type, commandId, emittedAt }) => ({
    id,
    event: type,
    commandId,
    emittedAt: emittedAt.toISOString(),
  })),
})

/** The refusal of a rejected command, in the words of its contract; null for any other. */
export function refusalOf(command: CommandView): CommandBody['refusal'] | null {
  if (command.state !== 'rejected') return null
  const { code, detail } = command.result as { code: string; detail: Record<string, unknown> | null }
  const declared: Refusal | undefined = findCommand(command.type)?.refusals[code]
  // A command of an older release may have been refused by a code that this one has dropped.
  return { code, status: declared?.status ?? 409, title: declared?.title ?? 'It was refused.', detail }
}
