import { Type } from '@sinclair/typebox'
import { type Env, readSettings } from '../../queues/settings.ts'

const Settings = Type.Object({
  INTERNAL_SECRET: Type.String({
    default: 'development-only', // refused in production by whatever starts the service
    description: 'shared by the edge and the services; quotes are signed with a key derived from it',
  }),
})

export interface OrdersConfig {
  readonly secret: string
}

export const readConfig = (env: Env): OrdersConfig =>
  Object.freeze({ secret: readSettings(Settings, env).INTERNAL_SECRET })
