import type { CommandBody } from '../edge/command-view.ts'
import type { Command, CommandRoute, Service } from '../queues/command.ts'
import { ApiProblem, jsonOf, problemOf, type Send } from './transport.ts'
import type { Ask, AskOptions, CommandsOf, Operation, Settled } from './types.ts'

/** What the outcome is, for whoever does not know the command. */
type AnySettled =
  | { readonly state: 'succeeded'; readonly output: unknown }
  | { readonly state: 'rejected'; readonly refusal: NonNullable<CommandBody['refusal']> }
  | { readonly state: 'dead' }

/** The longest that a server holds an answer back, seconds. */
const holdSeconds = 30

/** The methods of one service: one per command that has a route. */
export function commandsOf<S extends Service>(service: S, send: Send): CommandsOf<S> {
  const asks = service.commands.flatMap((command: Command) =>
    command.http ? [[verbOf(command.name), askFor(command, command.http, send)]] : [],
  )
  return Object.fromEntries(asks)
}

/** `catalog.set-stock` as a method name: setStock. */
const verbOf = (name: string): string =>
  name.slice(name.indexOf('.') + 1).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

function askFor(command: Command, { method, path }: CommandRoute, send: Send): Ask<Command> {
  return async (
    input,
    { idempotencyKey = crypto.randomUUID(), waitSeconds = 0, signal }: AskOptions = {},
  ) => {
    const { address, body } = splitInput(path, input)
    const answer = await send({
      method,
      path: address,
      headers: {
        'content-type': 'application/json',
        'idempotency-key': idempotencyKey,
        ...(waitSeconds > 0 && { prefer: `wait=${waitSeconds}` }),
      },
      body: JSON.stringify(body),
      signal,
      repeatable: true,
    })
    return await toOperation(command, answer, send)
  }
}

/** What the address names is no part of the body. */
function splitInput(path: string, input: Readonly<Record<string, unknown>>) {
  const body = { ...input }
  const address = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = body[name]
    delete body[name]
    return encodeURIComponent(String(value))
  })
  return { address, body }
}

async function toOperation(command: Command, answer: Response, send: Send): Promise<Operation<Command>> {
  const replayed = answer.headers.get('idempotency-replayed') === 'true'
  const { id, settled } = answer.ok ? read(await jsonOf(answer)) : await refusalOf(command, answer)
  return {
    id,
    replayed,
    wait: async ({ signal } = {}) => (settled ?? (await outcomeOf(id, send, signal))) as Settled<Command>,
  }
}

function read(body: Pick<CommandBody, 'id' | 'state' | 'output' | 'refusal'>): {
  id: string
  settled: AnySettled | null
} {
  const { id, state, output, refusal } = body
  if (state === 'succeeded' && 'output' in body) return { id, settled: { state, output } }
  if (state === 'rejected' && refusal) return { id, settled: { state, refusal } }
  return { id, settled: state === 'dead' ? { state } : null }
}

/** A refusal comes as a problem if it was waited for; any other problem means that nothing was accepted. */
async function refusalOf(command: Command, answer: Response) {
  const problem = await problemOf(answer)
  const { type, title, status, code, requestId, commandId, ...facts } = problem
  if (typeof commandId !== 'string') throw new ApiProblem(problem)
  const detail = command.refusals[code]?.detail ? facts : null
  return { id: commandId, settled: { state: 'rejected', refusal: { code, status, title, detail } } as const }
}

async function outcomeOf(id: string, send: Send, signal: AbortSignal | undefined): Promise<AnySettled> {
  for (;;) {
    signal?.throwIfAborted()
    const headers = { prefer: `wait=${holdSeconds}` }
    const answer = await send({
      method: 'GET',
      path: `/v1/commands/${id}`,
      headers,
      signal,
      repeatable: true,
    })
    const { settled } = read(await jsonOf<CommandBody>(answer))
    if (settled) return settled
  }
}
