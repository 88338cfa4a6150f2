import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { command, service } from '../../queues/command.ts'
import { type CommandState, done, type Handler, type Handlers, rejected } from '../../queues/outcome.ts'
import { retry } from '../../queues/retry.ts'
import { closed } from '../../queues/schemas.ts'
import { defineService } from '../../workers/runtime/service.ts'

// What must not compile. The compiler reports an expected error that does not come.

const settings = { summary: 'For these tests.', retry: retry.standard, timeoutMs: 1_000 }
const paint = command('shop.paint', {
  ...settings,
  input: Type.Object({ colour: Type.String() }, closed),
  output: Type.Object({ layers: Type.Integer() }, closed),
  refusals: { out_of_paint: { status: 409, title: 'The paint is used up.' } },
})
const sweep = command('shop.sweep', {
  ...settings,
  input: Type.Object({}, closed),
  output: Type.Object({}, closed),
  refusals: {},
})
const shop = service('shop', {
  summary: 'For these tests.',
  commands: [paint, sweep],
  events: [],
  concurrency: 1,
  lockMs: 1_000,
})

const painting: Handler<typeof paint> = async job =>
  job.input.colour === 'black' ? rejected('out_of_paint') : done({ layers: 2 })
const sweeping: Handler<typeof sweep> = async () => done({})

export const complete: Handlers<typeof shop> = { 'shop.paint': painting, 'shop.sweep': sweeping }

// A command without its handler.
// @ts-expect-error shop.sweep is missing
export const incomplete: Handlers<typeof shop> = { 'shop.paint': painting }
const parts = { handlers: complete, routes: new Elysia() }
export const completeService = defineService(shop, () => parts)
export const incompleteService = defineService(shop, () => ({
  ...parts,
  // @ts-expect-error shop.sweep is missing
  handlers: { 'shop.paint': painting },
}))

// A handler for a command that is not there.
// @ts-expect-error shop.burn is not declared
export const surplus: Handlers<typeof shop> = { ...complete, 'shop.burn': sweeping }

// A refusal that the command does not declare.
// @ts-expect-error too_late is not declared
export const undeclared: Handler<typeof paint> = async () => rejected('too_late')
// @ts-expect-error shop.sweep cannot be refused at all
export const unrefusable: Handler<typeof sweep> = async () => rejected('out_of_paint')
// @ts-expect-error the same within effects
export const undeclaredInEffects: Handler<typeof paint> = async () => async () => rejected('too_late')

// An output that does not fit, and an input field that is not there.
// @ts-expect-error layers is a number
export const wrongOutput: Handler<typeof paint> = async () => done({ layers: 'two' })
// @ts-expect-error there is no brush
export const wrongInput: Handler<typeof paint> = async job => done({ layers: job.input.brush })

// A command of another service.
export const foreign = service('store', {
  ...{ summary: 'For these tests.', events: [], concurrency: 1, lockMs: 1_000 },
  // @ts-expect-error its name does not begin with "store."
  commands: [paint],
})

/** A state without its case. */
// @ts-expect-error `dead` ends without an answer
export function unhandled(state: CommandState): string {
  switch (state) {
    case 'accepted':
    case 'running':
    case 'waiting':
    case 'retrying':
      return 'open'
    case 'succeeded':
    case 'rejected':
      return 'settled'
  }
}
export function handled(state: CommandState): string {
  switch (state) {
    case 'accepted':
    case 'running':
    case 'waiting':
    case 'retrying':
      return 'open'
    case 'succeeded':
    case 'rejected':
    case 'dead':
      return 'settled'
  }
}
