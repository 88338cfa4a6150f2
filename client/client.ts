import { type AnyService, services } from '../queues/registry.ts'
import { commandsOf } from './operations.ts'
import { readsOf } from './reads.ts'
import { type ClientOptions, createSend } from './transport.ts'
import type { CommandsOf } from './types.ts'

type Reads = ReturnType<typeof readsOf>
type Commands = { readonly [S in AnyService as S['name']]: CommandsOf<S> }

/** Commands and reads of each service under its name. */
export type Client = {
  readonly [Name in keyof Commands | keyof Reads]: (Name extends keyof Commands ? Commands[Name] : unknown) &
    (Name extends keyof Reads ? Reads[Name] : unknown)
}

/** A client of the public API. What the registry declares, it can ask for: there is no list of commands here. */
export function createClient(options: ClientOptions): Client {
  const send = createSend(options)
  const reads: Readonly<Record<string, object>> = readsOf(send)
  const commands = services.map((service: AnyService) => [service.name, commandsOf(service, send)] as const)
  const names = new Set([...Object.keys(reads), ...commands.map(([name]) => name)])
  const asked: Readonly<Record<string, object>> = Object.fromEntries(commands)
  return Object.fromEntries([...names].map(name => [name, { ...asked[name], ...reads[name] }])) as Client
}
