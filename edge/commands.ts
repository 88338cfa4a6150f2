import { Type } from '@sinclair/typebox'
import type { Actor } from '../queues/access.ts'
import type { Command, CommandRoute } from '../queues/command.ts'
import { serviceOf } from '../queues/command.ts'
import type { Accepted, Enqueued, NewCommand } from '../queues/journal.ts'
import { AcceptedBody, acceptedJson, CommandBody } from './command-view.ts'
import type { EdgeContext } from './context.ts'
import { fingerprintOf, readIdempotencyKey } from './idempotency.ts'
import { inputReader } from './input.ts'
import { type Mount, type Operation, pathParameters } from './operation.ts'
import type { Outcomes } from './outcomes.ts'
import { preferHeader, preferredWait } from './prefer.ts'
import { Problem } from './problems.ts'

export interface CommandDeps {
  /** Writes the command, durably, or finds the one that its key stands for. Throws a Problem if Postgres does not answer. */
  readonly accept: (command: NewCommand) => Promise<Accepted>
  /** Tells the queue, without waiting: the answer never depends on Redis. */
  readonly enqueue: (commands: readonly Enqueued[]) => void
  readonly outcomes: Outcomes
  readonly newId: () => string
  readonly bodyMaxBytes: number
}

/** Mounts every command of the registry that has a route. Knows none of them. */
export function mountCommands(mount: Mount, commands: readonly Command[], deps: CommandDeps): void {
  for (const command of commands)
    if (command.http) mount(operationOf(command, command.http), acceptor(command, command.http, deps))
}

function acceptor(command: Command, { method, path }: CommandRoute, deps: CommandDeps) {
  const readInput = inputReader(command.input, deps.bodyMaxBytes)

  return async ({ c, actor, params }: { c: EdgeContext; actor: Actor | null; params: object }) => {
    if (!actor) throw new Error(`${command.name} was mounted without a scope`)
    const key = readIdempotencyKey(c.req.header('idempotency-key'))
    const input = await readInput(c.req.raw, params)
    const accepted = await deps.accept({
      id: deps.newId(),
      command,
      input,
      actor,
      idempotency: { key, fingerprint: fingerprintOf(method, path, input) },
      traceparent: c.get('traceparent'),
    })
    if (accepted.kind === 'key_reused') throw new Problem('idempotency_key_reused')
    const isNew = accepted.kind === 'accepted'
    if (isNew) deps.enqueue([{ id: accepted.id, type: command.name, delayMs: 0 }])

    const seconds = preferredWait(c.req.header('prefer'))
    if (seconds === 0 && isNew) return acceptedResponse(accepted.id, command.name)
    const answer = await deps.outcomes.answer(c, accepted.id, command.name, seconds)
    if (!isNew) answer.headers.set('idempotency-replayed', 'true')
    return answer
  }
}

const acceptedResponse = (id: string, name: string): Response =>
  new Response(acceptedJson(id, name), {
    status: 202,
    headers: {
      'content-type': 'application/json',
      location: `/v1/commands/${id}`,
      'cache-control': 'no-store',
    },
  })

function operationOf(command: Command, { method, path, scope }: CommandRoute): Operation {
  const names = pathParameters(path)
  const body = Type.Omit(command.input, names)
  const outcome = { ...CommandBody.properties, output: command.output }
  return {
    id: command.name,
    method,
    path,
    tag: serviceOf(command.name),
    summary: command.summary,
    access: scope,
    params: Type.Pick(command.input, names),
    headers: {
      'Idempotency-Key': {
        schema: Type.String({
          minLength: 1,
          maxLength: 255,
          description: 'One per intended effect; send it again with every retry.',
        }),
        required: true,
      },
      ...preferHeader,
    },
    // Also of a command that is all in its address: what is sent beside it is read, and refused by what it is.
    body: { contentType: 'application/json', schema: body, required: (body.required ?? []).length > 0 },
    answers: {
      202: {
        description: 'Durably accepted; or, after a wait, not settled yet.',
        schema: AcceptedBody,
        headers: acceptedHeaders,
      },
      200: {
        description: 'Only after `Prefer: wait`: it succeeded.',
        schema: Type.Object(outcome, { additionalProperties: false }),
        headers: acceptedHeaders,
      },
    },
    problems: [
      'idempotency_key_missing',
      'idempotency_key_invalid',
      'idempotency_key_reused',
      'journal_unavailable',
      ...bodyProblems,
    ],
    refusals: command.refusals,
  }
}

/** One that asks for nothing in its body still reads it. */
const bodyProblems = [
  'malformed_json',
  'body_too_deep',
  'body_too_large',
  'unsupported_media_type',
  'validation_failed',
] as const

const acceptedHeaders = {
  Location: 'Where its state can be read: /v1/commands/{id}.',
  'Idempotency-Replayed': '`true` if an earlier request with this key stands for it.',
  'Preference-Applied': 'The `wait` that was honoured.',
}
