import { Type } from '@sinclair/typebox'
import { v7 as uuidv7 } from 'uuid'
import { type Env, readSettings } from '../../queues/settings.ts'

const Settings = Type.Object({
  INTERNAL_SECRET: Type.String({
    default: 'development-only', // refused in production by whatever starts the service
    description: 'shared by the edge and the services; quotes are signed with a key derived from it',
  }),
  RETURN_WITHIN_DAYS: Type.Integer({
    minimum: 0,
    maximum: 3_650,
    default: 30,
    description: 'how long after an order was completed its customer can return it',
  }),
})

const dayMs = 24 * 3_600_000

export interface Lifecycle {
  readonly returnWithinMs: number
  readonly newId: () => string
}
export const lifecycleDefaults: Lifecycle = Object.freeze({
  returnWithinMs: 30 * dayMs,
  newId: () => uuidv7(),
})

export interface OrdersConfig {
  readonly secret: string
  readonly returnWithinMs: number
}

export const readConfig = (env: Env): OrdersConfig => {
  const { INTERNAL_SECRET, RETURN_WITHIN_DAYS } = readSettings(Settings, env)
  return Object.freeze({ secret: INTERNAL_SECRET, returnWithinMs: RETURN_WITHIN_DAYS * dayMs })
}
