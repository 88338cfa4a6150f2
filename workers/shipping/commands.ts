import type { Handlers } from '../../queues/outcome.ts'
import type { shipping } from '../../queues/shipping.ts'
import { type RateDeps, rateHandlers } from './rate-commands.ts'

export const handlers = (deps: RateDeps): Handlers<typeof shipping> => ({ ...rateHandlers(deps) })
